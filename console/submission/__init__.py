"""The parts of `desk submit`: checks, the files to upload, the job and its log."""
