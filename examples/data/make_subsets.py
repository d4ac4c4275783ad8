#!/usr/bin/env python3
"""Makes the data sets in this folder out of the full ones. The choice is random with a fixed seed, so that a second
run writes the same bytes.

    python3 make_subsets.py mnist FOLDER     # the four canonical idx.gz files of MNIST
    python3 make_subsets.py fashion FOLDER   # the same four of Fashion-MNIST (Debian's dataset-fashion-mnist)
    python3 make_subsets.py photos FOLDER    # sklearn/datasets/images out of PyPI's scikit-learn
    python3 make_subsets.py emoji FOLDER     # package/ out of npm's emoji-datasource-google@16.0.0

Needs numpy; `emoji` needs Pillow. With the package zopfli the archives come out about 5% smaller than with gzip -9.
"""

import argparse
import gzip
import json
import random
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SEED = 1998

# Folder, samples for training and for testing; both a multiple of the ten classes.
IDX_SETS = {"mnist": ("mnist", 17_300, 2_000), "fashion": ("fashion-mnist", 7_700, 1_500)}

# Class, subcategories of the emoji data that belong to it.
EMOJI_CLASSES = {
    "animals": ["animal-mammal"],
    "buildings": ["place-building"],
    "clocks": ["time"],
    "clothes": ["clothing"],
    "faces": ["face-smiling", "face-affection", "face-tongue", "face-neutral-skeptical", "face-concerned"],
    "produce": ["food-fruit", "food-vegetable"],
    "shapes": ["geometric"],
    "vehicles": ["transport-ground"],
}
EMOJI_PER_CLASS = 24
# Filed under those subcategories, but of another kind to the eye.
EMOJI_STRANGERS = {"rock", "wood", "bricks", "feet", "fuelpump", "motorway", "octagonal_sign", "oil_drum", "railway_track"}
EMOJI_STRANGERS |= {"rotating_light", "traffic_light", "vertical_traffic_light", "construction", "busstop", "wheel"}


def compress(raw):
    """Gzip without a time stamp, as small as the installed packages allow."""
    try:
        import zopfli.gzip
    except ImportError:
        return gzip.compress(raw, 9, mtime=0)
    return zopfli.gzip.compress(raw, numiterations=5)


def read_idx(path):
    """The array of an idx.gz file of bytes."""
    raw = gzip.decompress(path.read_bytes())
    zero, kind, rank = struct.unpack(">HBB", raw[:4])
    assert (zero, kind) == (0, 8), f"{path} is not an idx file of bytes"
    shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_idx(path, array):
    """An array of bytes as idx.gz."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(compress(header + array.tobytes()))


def balanced(labels, count, rng):
    """`count` indices, equally many of each class, in random order."""
    classes = np.unique(labels)
    chosen = []
    for label in classes:
        chosen += rng.sample(np.flatnonzero(labels == label).tolist(), count // len(classes))
    rng.shuffle(chosen)
    return chosen


def idx_subset(name, source):
    """Writes a balanced part of a set in MNIST's four files."""
    folder, train, test = IDX_SETS[name]
    rng = random.Random(SEED)
    for part, count in (("train", train), ("t10k", test)):
        images, labels = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        all_labels = read_idx(source / labels)
        chosen = balanced(all_labels, count, rng)
        write_idx(HERE / folder / images, read_idx(source / images)[chosen])
        write_idx(HERE / folder / labels, all_labels[chosen])


def photos(source):
    """Copies the two photos unchanged."""
    for name in ("china.jpg", "flower.jpg"):
        shutil.copyfile(source / name, HERE / "photos" / name)


def emoji(source):
    """Writes a folder of pictures per class, transparency laid over white."""
    from PIL import Image

    rng = random.Random(SEED)
    known = [e for e in json.loads((source / "emoji.json").read_text()) if e["has_img_google"]]
    for label, subcategories in EMOJI_CLASSES.items():
        members = [(e["short_name"], e["image"]) for e in known if e["subcategory"] in subcategories]
        members = sorted(member for member in members if member[0] not in EMOJI_STRANGERS)
        folder = HERE / "emoji" / label
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, file in sorted(rng.sample(members, EMOJI_PER_CLASS)):
            drawing = Image.open(source / "img/google/64" / file).convert("RGBA")
            paper = Image.new("RGBA", drawing.size, "white")
            paper.alpha_composite(drawing)
            paper.convert("RGB").save(folder / f"{name}.png", optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=[*IDX_SETS, "photos", "emoji"])
    parser.add_argument("source", type=Path, help="folder of the full data set")
    args = parser.parse_args()
    if not args.source.is_dir():
        sys.exit(f"{args.source} is not a folder")
    if args.set in IDX_SETS:
        (HERE / IDX_SETS[args.set][0]).mkdir(exist_ok=True)
        idx_subset(args.set, args.source)
    else:
        (HERE / args.set).mkdir(exist_ok=True)
        {"photos": photos, "emoji": emoji}[args.set](args.source)


if __name__ == "__main__":
    main()
