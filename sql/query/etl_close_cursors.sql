close all
