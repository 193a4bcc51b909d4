"""The short set: what `make bench` runs."""

from benchmarks import replay

if __name__ == "__main__":
    replay.main()
