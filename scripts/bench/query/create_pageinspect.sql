create extension if not exists pageinspect
