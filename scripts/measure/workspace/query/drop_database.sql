drop database if exists bench with (force)
