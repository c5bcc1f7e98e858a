"""Checkpoints saved by torch.save, read without running anything that is pickled in them."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from svqkit.errors import SvqkitError
from svqkit.userfiles import refuse_packed, refuse_special


def read_state_dict(path: Path) -> Mapping[str, Any]:
    """The state_dict in a .pth, on the CPU: a bare one, or that of {'epoch', 'optimizer', 'state_dict', 'scheduler'}.

    Raises:
        SvqkitError: there is no such file, it is damaged, holds no weights, or holds Python objects besides.
    """
    refuse_special(path)
    if not path.exists():
        raise SvqkitError(f"There is no checkpoint {path}.")
    try:
        refuse_packed(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SvqkitError:
        raise
    except UnpicklingError as error:
        raise SvqkitError(
            f"{path} holds more than tensors and plain values, or is no checkpoint, so it is not loaded: loading "
            "would run code from it. If you trust it, save its weights alone where it was made, and give me that "
            "file:\n"
            "  import torch\n"
            f"  checkpoint = torch.load({str(path)!r}, map_location='cpu', weights_only=False)\n"
            "  torch.save(checkpoint['state_dict'], 'weights.pth')\n"
            f"PyTorch says: {str(error).strip().splitlines()[-1]}"
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise SvqkitError(f"The checkpoint {path} is damaged or no checkpoint: {error!r}") from error
    weights = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(weights, Mapping) or not weights:
        raise SvqkitError(
            f"{path} must hold a state_dict, names with their tensors, bare or under the key 'state_dict'; it holds "
            f"{type(content).__name__}"
            + (f" with {', '.join(map(repr, content)) or 'nothing'}." if isinstance(content, Mapping) else ".")
        )
    return weights
