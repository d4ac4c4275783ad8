#!/usr/bin/env python3
"""Writes augment.safetensors: what torchvision makes of one picture, for the test beside it.

    python3 make_augment.py

Needs torch, torchvision and safetensors; the test needs none of them.

image              3 channels, 7 x 11, values from 0 to 1; a corner is grey, one pixel black and one white
CHANGE/AMOUNT      brightness, contrast, saturation and hue by a factor or a part of the circle; rotation by degrees
crop/TOP,LEFT,HEIGHT,WIDTH/ROWSxCOLUMNS
                   that part, scaled with antialiasing
"""

from pathlib import Path

import torch
import torchvision.transforms.functional as F
from safetensors.torch import save_file
from torchvision.transforms import InterpolationMode

BILINEAR = InterpolationMode.BILINEAR


def picture():
    image = torch.rand(3, 7, 11)
    image[:, :2, :3] = image[0, :2, :3]
    image[:, 6, 9], image[:, 6, 10] = 0, 1
    return image


def main():
    torch.manual_seed(1)
    image = picture()
    record = {"image": image}
    adjust = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation}
    for name, change in adjust.items():
        for factor in (0.0, 0.4, 1.0, 1.7):
            record[f"{name}/{factor}"] = change(image, factor)
    for part in (-0.5, -0.2, 0.0, 0.07, 0.31, 0.5):
        record[f"hue/{part}"] = F.adjust_hue(image, part)
    for degrees in (-75.0, -10.0, 33.0, 90.0, 180.0):
        record[f"rotation/{degrees}"] = F.rotate(image, degrees, interpolation=BILINEAR)
    crops = [((0, 0, 7, 11), (7, 11)), ((1, 2, 5, 6), (3, 4)), ((2, 3, 4, 5), (9, 13)), ((0, 1, 7, 10), (2, 15))]
    for window, size in crops:
        name = ",".join(map(str, window)) + "/" + "x".join(map(str, size))
        record[f"crop/{name}"] = F.resized_crop(image, *window, size, interpolation=BILINEAR, antialias=True)
    tensors = {name: tensor.clone().contiguous() for name, tensor in record.items()}
    save_file(tensors, Path(__file__).resolve().parent / "augment.safetensors")


if __name__ == "__main__":
    main()
