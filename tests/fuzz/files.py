"""Configuration files with some bytes changed, and what composing them raises."""

import random
import shutil
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from bridge.composing import COMPOSITION_ERRORS, HYDRA_ERRORS, composition_message
from tests.fuzz.settings import meet_the_door
from tests.helpers import ROOT

PIECES = [
    *(b"\t", b"\x00", b"\xff\xfe", b"\xc3\x28", b": ", b"- ", b"[", b"{", b"}", b"]"),
    *(b"&a ", b"*a", b"!!python/object:os.system ", b"|", b">", b"%", b"@", b"`", b"?"),
    *(b"${", b"${general.seed}", b"${oc.env:HOME}", b"${x.y}", b"<<: *a", b"'", b'"'),
    *(b"#", b"---\n", b"...\n", b"\r", b"\xe2\x80\xa8", b"[" * 500, b"1: 2\n", b"~"),
    *(b"a: " * 300, b"=", b"!!binary x", b"!!set {a}", b"2020-01-01", b"0x", b"1_0"),
    *(b"${general}", b"${data.seed:1}", b"\xef\xbb\xbf", b"defaults: [x]\n", b"null"),
]


def broken_copy(folder: Path, draw: random.Random) -> Path:
    """A copy of `conf/` in `folder` with one file changed; returns that file."""
    shutil.copytree(ROOT / "conf", folder, dirs_exist_ok=True)
    file = draw.choice(
        [
            *(folder / f"{name}.yaml" for name in ("base", "burgers", "base")),
            folder / "model/physical/burgers.yaml",
            folder / "migration/current.yaml",
        ]
    )
    content = bytearray(file.read_bytes())
    for _ in range(draw.choice((1, 1, 2, 4))):
        place = draw.randrange(len(content) + 1)
        match draw.randrange(5):
            case 0:
                content[place:place] = draw.choice(PIECES)
            case 1:
                content[place : place + draw.randrange(1, 30)] = b""
            case 2:
                content[place : place + 1] = bytes([draw.randrange(256)])
            case 3:
                content[place : place + 5] = draw.choice(PIECES)
            case 4:
                lines = bytes(content).split(b"\n")
                lines.insert(draw.randrange(len(lines)), draw.choice(PIECES))
                content = bytearray(b"\n".join(lines))
    file.write_bytes(bytes(content))
    return file


def meet_composition(folder: Path) -> str | None:
    """What composing and checking say: None where everything is allowed.

    Raises:
        Exception: Anything but a message for a person: that is a fault.
    """
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            config = compose("burgers")
    except COMPOSITION_ERRORS as error:
        return composition_message(error)
    try:
        values = OmegaConf.to_container(config, resolve=True)
    except HYDRA_ERRORS as error:
        return composition_message(error)
    return meet_the_door(cast(dict[str, Any], values))
