"""``python -m training``: ``docket train`` as a module, which torchrun starts in several processes."""

import sys

from docket import main
from training import distributed

if __name__ == "__main__":
    distributed.run(lambda: main(["train", *sys.argv[1:]]))
