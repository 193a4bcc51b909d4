"""A process and its children, as the operating system knows them: clock, signals, memory, usage, breadcrumbs."""
