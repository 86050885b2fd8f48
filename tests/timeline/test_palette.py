from itertools import combinations

import numpy as np

from vswin_cli.models.weights.catalogue import labels_of
from vswin_cli.timeline.palette import colours, label_colour

MACHADO = {  # simulations of the three kinds of colour blindness, on linear RGB
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "normal": np.eye(3).tolist(),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(TO_LAB @ np.cbrt(TO_LMS @ np.clip(rgb, 0, 1)))


def test_colours_differ_for_every_kind_of_sight():
    for sight, matrix in MACHADO.items():
        least = 0.08 if sight == "tritan" else 0.1
        seen = [oklab(np.array(matrix) @ linear(colour)) for colour in colours()]
        assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > least


def test_colours_are_seen_on_white_and_on_dark_pages():
    for colour in colours():
        luminance = linear(colour) @ [0.2126, 0.7152, 0.0722]
        assert 0.1 < luminance < 0.51


def test_a_label_has_one_colour_and_others_mostly_another():
    assert label_colour("pan-left") == label_colour("pan-left")
    labels = [f"label {i}" for i in range(600)]
    counts = [sum(label_colour(one) == colour for one in labels) for colour in colours()]
    assert min(counts) > 20


def test_labels_of_the_embedded_model_have_different_colours():
    labels = labels_of("camera-motion").names
    assert len(labels) == 13
    assert len({label_colour(label) for label in labels}) == 13
