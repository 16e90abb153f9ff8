"""Settings: their schema, what is impossible, and the messages that say so."""

from experiment.settings.checks import check_settings, settings_warnings
from experiment.settings.coarsening import physics_equation, whole_blocks
from experiment.settings.masks import (
    observed_cells,
    observed_frames,
    window_starts,
    without_observations,
)
from experiment.settings.messages import key_hint, leaves
from experiment.settings.registry import ARCHITECTURES, COMPONENTS, SIDES, Component
from experiment.settings.run_checks import IF_THERE, LAST_RUN, is_trained
from experiment.settings.schema import Architecture, Settings
from experiment.settings.sources import (
    build,
    check_sources,
    implementation,
    load_class,
    own_network,
    require_arguments,
    require_methods,
    source_of,
)
from experiment.settings.unread import UNREAD, why_unread
from experiment.settings.values import (
    differences,
    parameter_ranges,
    precision_bits,
    settings_with_content,
    to_dict,
)

__all__ = [
    "ARCHITECTURES",
    "COMPONENTS",
    "IF_THERE",
    "LAST_RUN",
    "SIDES",
    "UNREAD",
    "Architecture",
    "Component",
    "Settings",
    "build",
    "check_settings",
    "check_sources",
    "differences",
    "implementation",
    "is_trained",
    "key_hint",
    "leaves",
    "load_class",
    "observed_cells",
    "observed_frames",
    "own_network",
    "parameter_ranges",
    "physics_equation",
    "precision_bits",
    "require_arguments",
    "require_methods",
    "settings_warnings",
    "settings_with_content",
    "source_of",
    "to_dict",
    "whole_blocks",
    "why_unread",
    "window_starts",
    "without_observations",
]
