"""The one registry: who implements which component on which side."""

#: `package.module:Class` by component, side and name, so that nothing is imported
#: before it is used. `migration.sources.<component>.<side>` takes an entry's place.
REGISTRY = {
    "model": {
        "legacy": {
            "unet": "legacy.models:UNet",
            "resnet": "legacy.models:ResNet",
            "convnet": "legacy.models:ConvNet",
        },
        "phiml": {
            "unet": "phiml_port.models:UNet",
            "resnet": "phiml_port.models:ResNet",
            "convnet": "phiml_port.models:ConvNet",
        },
    },
    "trainer": {
        "legacy": {"synthetic": "legacy.training:SyntheticTrainer"},
        "phiml": {"synthetic": "phiml_port.training:SyntheticTrainer"},
    },
    "data": {
        "legacy": {"windows": "legacy.data:WindowLoader"},
        "phiml": {"windows": "phiml_port.data:PhiMLDataLoader"},
    },
    "physics": {
        "legacy": {
            "scenes": "legacy.physics:SceneSimulator",
            "learner": "legacy.physics:FieldLearner",
        },
        "phiml": {
            "scenes": "phiml_port.physics:SceneSimulator",
            "learner": "phiml_port.physics:TensorLearner",
        },
    },
    "hybrid": {
        "legacy": {"hybrid": "legacy.training:HybridTrainer"},
        "phiml": {"hybrid": "phiml_port.training:HybridTrainer"},
    },
}

#: What an implementation of a network must offer, by side.
CONTRACTS = {
    "legacy": ("forward", "parameters", "state_dict", "train"),
    "phiml": (
        "__call__",
        "parameters",
        "export_weights",
        "import_weights",
        "set_training",
        "convert",
    ),
}
