"""The script that goes with an exported model: it classifies pictures without Sightline."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template

from classifier.ml import compact_cnn, ink
from classifier.ml.architectures import OWN, options_of
from classifier.ml.bundle import GRAPH, WEIGHTS
from classifier.ml.spec import INK, ModelSpec

SCRIPT = "predict.py"
TEMPLATE = Template(Path(__file__).with_name("predict.py.txt").read_text(encoding="utf-8"))
EXPORTED = "model.pt2"


@dataclass(frozen=True)
class Script:
    """What of `predict.py` differs from one format to the next."""

    packages: str  # to install beside NumPy and Pillow
    imports: str
    load: str  # what is in `folder`
    logits: str  # from `pixels`, uint8 (1, crop, crop, 3)

    def write(self, spec: ModelSpec, folder: Path) -> None:
        """Write it, and beside it what finds handwriting where the spec wants that."""
        imports, frame = f"{self.imports}\nfrom PIL import Image, ImageOps", ""
        if spec.framing == INK:
            shutil.copyfile(ink.__file__, folder / "ink.py")
            imports, frame = f"{imports}\n\nimport ink", "\n    image = ink.frame(image)"
        text = TEMPLATE.substitute(
            packages=f"{self.packages} numpy pillow",
            imports=imports,
            load=self.load,
            frame=frame,
            logits=self.logits,
        )
        (folder / SCRIPT).write_text(text, encoding="utf-8")


def of_onnx() -> Script:
    """For pixels to logits by ONNX Runtime."""
    return Script(
        "onnxruntime",
        "import onnxruntime",
        f'session = onnxruntime.InferenceSession(folder / "{GRAPH}")',
        "session.run(None, {session.get_inputs()[0].name: pixels})[0][0]",
    )


def of_core_ml() -> Script:
    """For an image of floats, channels first, to probabilities by ONNX Runtime."""
    return Script(
        "onnxruntime",
        "import onnxruntime",
        f'session = onnxruntime.InferenceSession(folder / "{GRAPH}")',
        'np.log(session.run(None, {"image": np.float32(pixels.transpose(0, 3, 1, 2))})[0][0])',
    )


def of_torch_export() -> Script:
    """For a program that torch.export wrote."""
    return Script(
        "torch",
        "import torch",
        f'network = torch.export.load(folder / "{EXPORTED}").module()',
        "network(torch.from_numpy(pixels))[0].detach().numpy()",
    )


def of_safetensors(architecture: str, spec: ModelSpec, folder: Path) -> Script:
    """For weights alone: the network is torchvision's, or ours, which is copied to the folder."""
    if architecture in OWN:
        name = OWN[architecture].__name__
        library, network = "torch", f"{name}(len(spec['labels']))"
        imports = f"import torch\nfrom compact_cnn import {name}"
        shutil.copyfile(compact_cnn.__file__, folder / "compact_cnn.py")
    else:
        options = {"num_classes": len(spec.labels), **options_of(architecture, spec.crop)}
        told = ", ".join(f"{name}={value!r}" for name, value in options.items())
        library, imports = "torch torchvision", "import torch\nimport torchvision"
        network = f"torchvision.models.get_model({architecture!r}, {told})"
    return Script(
        f"{library} safetensors",
        f"{imports}\nfrom safetensors.torch import load_file",
        f"network = {network}.eval()\n"
        f'network.load_state_dict(load_file(folder / "{WEIGHTS}"))\n'
        'mean, std = (torch.tensor(spec[name]).view(3, 1, 1) for name in ("mean", "std"))',
        "network((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std)"
        "[0].detach().numpy()",
    )
