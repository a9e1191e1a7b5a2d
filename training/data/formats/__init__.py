"""File formats: each reads an open file as a table of rows. ``file_formats`` names them all."""
