"""Run one benchmark and print what it ran on, its figures, and last of all one JSON object on one line."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.surroundings import Surroundings
from telehealth.embedded.refusal import Refusal

SUPPORT = {"__init__", "__main__", "closed_loop", "messages", "mixed", "country", "province", "surroundings"}


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that the first argument names; returns the exit code."""
    found = Path(__file__).parent.glob("*.py"), Path(__file__).parent.glob("*/__init__.py")
    stems = {path.stem for path in found[0]} | {path.parent.name for path in found[1]}
    names = sorted(stems - SUPPORT)
    if not arguments or arguments[0] not in names:
        sys.stderr.write(f"python3 run.py bench NAME [options], where NAME is one of: {', '.join(names)}\n")
        return 2
    name = arguments[0]
    benchmark = importlib.import_module(f"bench.{name}")
    parser = argparse.ArgumentParser(prog=f"run.py bench {name}", description=benchmark.__doc__)
    parser.add_argument("--scale", choices=("province", "country"), default="province")
    benchmark.describe(parser)
    options = parser.parse_args(arguments[1:])
    surroundings = Surroundings.look(os.environ)
    print(f"{name} on {surroundings}", flush=True)
    try:
        figures = benchmark.run(options, surroundings)
    except Refusal as refusal:
        sys.stderr.write(f"run.py: {refusal}\n")
        return 1
    for key, value in figures.items():
        print(f"{key:<36} {value}")
    print(json.dumps({"benchmark": name, **surroundings.facts(), "scale": options.scale, **figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
