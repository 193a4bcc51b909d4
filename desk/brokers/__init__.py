"""The venues that orders go to, one file each."""
