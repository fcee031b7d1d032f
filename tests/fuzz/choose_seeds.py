"""Chooses the seeds of a fuzz target: the few inputs that together cover the most code.

usage: choose_seeds.py CONTROL_FILE MOST

CONTROL_FILE is what `fuzz_TARGET -set_cover_merge=1 -merge_control_file=CONTROL_FILE` writes. Prints the paths of at most
MOST inputs. An input named finding-* once showed a defect and is always chosen. Each further choice is the input that adds
the most edges to those chosen before, or the most features where none adds an edge, or is the smallest of several equals;
the choice ends when no input adds anything.
"""
import os
import sys

FEATURES_PER_EDGE = 8  # libFuzzer numbers a feature 8 * edge + how often the edge was taken, in 8 classes


def read_control_file(path):
    """The features that each input reaches, by the input's path. An input that crashed reaches none."""
    with open(path) as file:
        lines = file.read().splitlines()
    count = int(lines[0])
    inputs = lines[2:2 + count]  # the second line counts the inputs of the first folder
    features = {name: set() for name in inputs}
    for line in lines[2 + count:]:
        kind, index, *numbers = line.split()
        if kind == "FT":
            features[inputs[int(index)]] = set(map(int, numbers))
    return features


def edges(features):
    return {feature // FEATURES_PER_EDGE for feature in features}


def choose(features, most):
    chosen = [name for name in features if os.path.basename(name).startswith("finding-")]
    if len(chosen) > most:
        sys.exit(f"choose_seeds: {len(chosen)} findings are more than {most} seeds")
    covered = set().union(*(features[name] for name in chosen))
    while len(chosen) < most:
        covered_edges = edges(covered)

        def gain(name):
            new = features[name] - covered
            return len(edges(new) - covered_edges), len(new), -os.path.getsize(name)

        best = max(features, key=gain)
        if not features[best] - covered:
            break
        chosen.append(best)
        covered |= features[best]
    everything = set().union(*features.values())
    print(f"{len(chosen)} of {len(features)} inputs, {sum(map(os.path.getsize, chosen))} bytes, "
          f"{len(edges(covered))} of {len(edges(everything))} edges, {len(covered)} of {len(everything)} features",
          file=sys.stderr)
    return chosen


if __name__ == "__main__":
    print("\n".join(choose(read_control_file(sys.argv[1]), int(sys.argv[2]))))
