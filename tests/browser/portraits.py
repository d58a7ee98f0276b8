"""What the cameras of the pictures see: a drawn person before a plain wall."""

from dataclasses import dataclass
from pathlib import Path

Colour = tuple[int, int, int]
WIDTH, HEIGHT = 640, 360


@dataclass(frozen=True)
class Scene:
    """Colours (red, green, blue) of a wall and of somebody who sits before it."""

    wall: Colour
    floor: Colour
    clothes: Colour
    collar: Colour
    skin: Colour
    hair: Colour


DOCTOR_SCENE = Scene(
    (214, 228, 226), (190, 210, 208), (250, 251, 250), (106, 168, 176), (232, 190, 160), (38, 34, 36)
)
PATIENT_SCENE = Scene(
    (240, 226, 200), (222, 202, 170), (150, 84, 96), (168, 102, 112), (226, 180, 148), (150, 148, 150)
)


def portrait_clip(path: Path, scene: Scene) -> Path:
    """Write a short still clip of a scene (YUV4MPEG2, 4:2:0)."""
    pixels = [[_at(scene, x / WIDTH, y / HEIGHT) for x in range(WIDTH)] for y in range(HEIGHT)]
    luma = bytes(_luma(colour) for row in pixels for colour in row)
    small = [row[::2] for row in pixels[::2]]
    blue = bytes(_chroma(colour, 2, 0.564) for row in small for colour in row)
    red = bytes(_chroma(colour, 0, 0.713) for row in small for colour in row)
    head = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F20:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + (b"FRAME\n" + luma + blue + red) * 20)
    return path


def _at(scene: Scene, x: float, y: float) -> Colour:
    """Return the colour at a point of the unit square, the nearest thing first."""
    across, y = (x - 0.5) * WIDTH / HEIGHT, y - 0.05
    head = 0.40
    if _within(abs(across) - 0.048, y - 0.395, 0.011, 0.014) or _smiles(across, y):
        return scene.hair
    if _within(across, y - 0.30, 0.165, 0.20) and not _within(across, y - 0.43, 0.125, 0.19):
        return scene.hair
    if _within(across, y - head, 0.135, 0.19):
        return scene.skin
    if abs(across) < 0.06 and 0.5 < y < 0.68:
        return scene.skin
    if y > 0.62 and abs(across) < 0.12 * (0.80 - y) / 0.18:
        return scene.collar
    if _within(across, y - 1.02, 0.42, 0.42):
        return scene.clothes
    return scene.floor if y > 0.81 else scene.wall


def _within(x: float, y: float, across: float, down: float) -> bool:
    return (x / across) ** 2 + (y / down) ** 2 <= 1


def _smiles(x: float, y: float) -> bool:
    return y > 0.475 and _within(x, y - 0.46, 0.05, 0.04) and not _within(x, y - 0.45, 0.06, 0.042)


def _luma(colour: Colour) -> int:
    red, green, blue = colour
    return round(16 + (0.299 * red + 0.587 * green + 0.114 * blue) * 219 / 255)


def _chroma(colour: Colour, part: int, scale: float) -> int:
    red, green, blue = colour
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(128 + (colour[part] - grey) * scale * 224 / 255)
