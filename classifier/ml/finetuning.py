"""Go on from a network that was trained before, perhaps for other labels."""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from classifier.ml.architectures import build_network
from classifier.ml.network import Network
from classifier.ml.weights import load_network


def take_on(
    source: Network, labels: Sequence[str], image_size: int
) -> tuple[nn.Module, list[nn.Module]]:
    """A network of float32 for these labels, with all of the source's weights that mean the same.

    Its last layer is a new one, unless the labels are the source's own, in the same order.

    Returns the network, and those of its layers that are to wait until the new one has learned
    something; none, where none is new.

    Raises:
        UnknownArchitecture, UnusableWeights: if the source cannot be loaded.
    """
    spec = replace(source.spec, resize=image_size, crop=image_size)
    trained = load_network(source.architecture, source.weights, spec)
    if tuple(labels) == source.spec.labels:
        return trained, []
    network = build_network(source.architecture, len(labels), image_size)
    head = _leaves(network)[-1]
    new = {f"{head}.{name}" for name in network.get_submodule(head).state_dict()}
    state = trained.state_dict()
    network.load_state_dict({n: v for n, v in state.items() if n not in new}, strict=False)
    return network, _layers(network)[:-1]


def _leaves(network: nn.Module) -> list[str]:
    """Names of the layers that have weights to train, the last of which gives the logits."""
    return [
        name
        for name, module in network.named_modules()
        if any(own.requires_grad for own in module.parameters(recurse=False))
    ]


def _layers(network: nn.Module) -> list[nn.Module]:
    return [network.get_submodule(name) for name in _leaves(network)]
