"""A report value as pages, tables and figures; nothing here measures anything."""
