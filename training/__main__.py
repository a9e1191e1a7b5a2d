"""``python -m training``: ``docket train`` as a module, which torchrun starts in several processes."""

import sys

from docket import main
from training import parallel

if __name__ == "__main__":
    parallel.run(lambda: main(["train", *sys.argv[1:]]))
