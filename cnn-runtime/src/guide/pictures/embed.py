"""Writes a picture to stdout as a `data:` address: SVG as it is, drawings of pixels as PNG of 32 colours.

python3 embed.py PICTURE [LEFT TOP RIGHT BOTTOM]        (pip install pillow)

With four numbers the picture is a photo, of which that part is cut out and becomes a JPEG.
"""

import base64
import io
import sys


def encoded(path, box):
    """The type of the picture and its bytes."""
    if path.endswith(".svg"):
        with open(path, "rb") as file:
            return "svg+xml", file.read()
    from PIL import Image

    picture, buffer = Image.open(path).convert("RGB"), io.BytesIO()
    if box:
        picture.crop(box).save(buffer, "JPEG", quality=80, optimize=True)
        return "jpeg", buffer.getvalue()
    picture.quantize(32, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return "png", buffer.getvalue()


kind, data = encoded(sys.argv[1], [int(side) for side in sys.argv[2:]])
sys.stdout.write(f"data:image/{kind};base64,{base64.b64encode(data).decode()}")
