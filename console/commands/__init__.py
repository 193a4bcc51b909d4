"""The commands of `desk`, a module each."""
