"""The two phases of a training as code: what they minimise, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import dedent, indent
from typing import Final

from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.phases import Phase
from tl_core.export.code.documents import Cell
from tl_core.export.code.network import layers_missing

_MOMENTUM: Final = 0.9  # as in `tl_core.models.optimizers`
_PLATEAU: Final = "factor=0.3, patience=3, min_lr=1e-7"  # as in `tl_core.training.callbacks.reduce_lr_on_plateau`

_OPTIMIZERS: Final[Mapping[str, str]] = {
    "adam": "keras.optimizers.Adam(rate)",
    "adamw": "keras.optimizers.AdamW(rate, weight_decay={decay!r})",
    "rmsprop": "keras.optimizers.RMSprop(rate)",
    "sgd": "keras.optimizers.SGD(rate, momentum={momentum!r}, weight_decay={decay_or_none!r})",
}
_DECAYING: Final = ("adamw", "sgd")
_LOSSES: Final[Mapping[str, tuple[str, str, str]]] = {  # loss, metric, what the labels become
    "softmax": (
        "keras.losses.CategoricalCrossentropy",
        "keras.metrics.CategoricalCrossentropy",
        "keras.utils.to_categorical(labels, len(CLASSES))",
    ),
    "sigmoid": (
        "keras.losses.BinaryCrossentropy",
        "keras.metrics.BinaryCrossentropy",
        'labels[:, np.newaxis].astype("float32")',
    ),
}
_KEEPING: Final = dedent('''\
    class KeepBest(keras.callbacks.Callback):
        """Remembers the whole classifier at the epoch with the lowest cross-entropy of the validation images."""

        lowest = float("inf")
        weights = None

        def on_epoch_end(self, epoch, logs=None):
            if logs["val_cross_entropy"] < self.lowest:
                self.lowest, self.weights = logs["val_cross_entropy"], classifier.get_weights()


    best = KeepBest()  # over both phases
    ''')
_FIT: Final = dedent('''\
    def fit(model, train, validation, rate, first, epochs):
        """Train until epoch `first + epochs`; ends with the best weights so far."""
        {schedule}model.compile(optimizer(rate), LOSS, {metrics})
        callbacks = [{callbacks}]
        model.fit(
            train,
            validation_data=validation,
            initial_epoch=first,
            epochs=first + epochs,
            callbacks=callbacks,{weights}
            verbose=2,
        )
        classifier.set_weights(best.weights)


    def batches(inputs, labels, change=None):
        """Batches of training examples, shuffled anew in every epoch and changed at random by `change`."""
        data = tf.data.Dataset.from_tensor_slices((inputs, targets(labels)))
        data = data.shuffle(len(labels), seed=SEED).batch(BATCH_SIZE)
        if change:
            data = data.map(lambda images, labels: (change(tf.cast(images, tf.float32)), labels))
        return data.prefetch(2)


    def checked(inputs, labels):
        """Validation examples as they are{counted}."""
        return tf.data.Dataset.from_tensor_slices((inputs, targets(labels){sample_weights})).batch(64)
    ''')
_UNWEIGHTED: Final = {
    "metrics": 'metrics=["accuracy", cross_entropy()]',
    "weights": "",
    "counted": "",
    "sample_weights": "",
}
_WEIGHTED: Final = {
    "metrics": 'metrics=["accuracy"], weighted_metrics=[cross_entropy()]',
    "weights": "\n            class_weight=CLASS_WEIGHTS,",
    "counted": "; in the cross-entropy each class counts the same as in the training",
    "sample_weights": ", weights[labels]",
}
_STORED: Final = dedent("""\
    EPOCHS = {epochs}
    trunk = keras.Model(raw, base(preprocess.output, training=False))
    train_features = trunk.predict(train_images, batch_size=32)
    validation_features = trunk.predict(validation_images, batch_size=32)
    fit(
        head,
        batches(train_features, train_labels),
        checked(validation_features, validation_labels),
        rate={rate!r},
        first=0,
        epochs=EPOCHS,
    )
    """)
_VIEWS: Final = dedent('''\
    EPOCHS = {epochs}
    VIEWS = {views}  # random views of each training image; every epoch draws one of them
    trunk = keras.Model(raw, base(preprocess.output, training=False))


    def features_of_a_view():
        """What the backbone says about all training images, each changed at random."""
        pieces = [train_images[start : start + 32] for start in range(0, len(train_images), 32)]
        return np.concatenate([trunk.predict_on_batch(augment(piece.astype("float32"))) for piece in pieces])


    views = np.stack([features_of_a_view() for _ in range(VIEWS)])
    validation_features = trunk.predict(validation_images, batch_size=32)


    class DrawnViews(keras.utils.PyDataset):
        """Batches of training examples, with other views and in another order in every epoch."""

        def __init__(self):
            super().__init__()
            self.random = np.random.default_rng(SEED)
            self.on_epoch_end()

        def __len__(self):
            return -(-len(train_labels) // BATCH_SIZE)

        def on_epoch_end(self):
            self.order = self.random.permutation(len(train_labels))
            self.view = self.random.integers(VIEWS, size=len(train_labels))

        def __getitem__(self, index):
            rows = self.order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
            return views[self.view[rows], rows], targets(train_labels[rows])


    fit(
        head,
        DrawnViews(),
        checked(validation_features, validation_labels),
        rate={rate!r},
        first=0,
        epochs=EPOCHS,
    )
    ''')
_LIVE: Final = dedent("""\
    EPOCHS = {epochs}
    fit(
        Trainer(),
        batches(train_images, train_labels, augment),
        checked(validation_images, validation_labels),
        rate={rate!r},
        first=0,
        epochs=EPOCHS,
    )
    """)
_TUNING: Final = dedent("""\
    FROZEN_LAYERS = {frozen}
    base.trainable = True
    for index, layer in enumerate(base.layers):
        layer.trainable = index >= FROZEN_LAYERS
    fit(
        Trainer(),
        batches(train_images, train_labels{change}),
        checked(validation_images, validation_labels),
        rate={rate!r},
        first=EPOCHS,
        epochs={epochs},
    )
    """)


def objective(config: TrainingConfig) -> Cell:
    """Code that names ``fit``, ``batches``, ``checked``, ``targets`` and ``best``."""
    text = (
        "What is minimised and how, what is kept, and when a phase ends. The epoch with the lowest cross-entropy on "
        "the validation images is kept, over both phases."
    )
    return Cell("Training", text, "\n\n".join(_objective(config)))


def head_phase(config: TrainingConfig, phase: Phase) -> Cell:
    """Code of the first phase, which names ``EPOCHS``."""
    values = {"epochs": phase.epochs, "rate": phase.learning_rate, "views": config.views}
    if not config.augmentation.enabled:
        text = "The frozen backbone sees each image once; the head learns from what it says."
        return Cell("Feature extraction", text, _STORED.format(**values))
    if config.augmentation_mode == "cached_views":
        text = f"The frozen backbone sees {config.views} random views of each image once; the head learns from those."
        return Cell("Feature extraction", text, _VIEWS.format(**values))
    text = "The head learns on the frozen backbone, which sees every image anew in every epoch, changed at random."
    return Cell("Feature extraction", text, _LIVE.format(**values))


def fine_tuning(config: TrainingConfig, phase: Phase) -> Cell:
    """Code of the second phase."""
    missing = layers_missing(config, get_backbone(config.backbone))
    code = _TUNING.format(
        frozen=max(0, phase.frozen_layers - missing),
        change=", augment" if config.augmentation.enabled else "",
        rate=phase.learning_rate,
        epochs=phase.epochs,
    )
    return Cell("Fine-tuning", "The last layers of the backbone learn, too, at a much lower rate.", code)


def _objective(config: TrainingConfig) -> Iterator[str]:
    loss, metric, labels = _LOSSES[config.head.output]
    smoothing = f"label_smoothing={config.label_smoothing!r}"
    yield dedent(f'''\
        LOSS = {loss}({smoothing})


        def cross_entropy():
            return {metric}({smoothing}, name="cross_entropy")


        def targets(labels):
            """Labels as the loss takes them."""
            return {labels}


        ''') + _optimizer(config)
    yield _KEEPING
    if config.class_weights:
        yield dedent("""\
            # So that each class counts the same.
            counts = np.bincount(train_labels, minlength=len(CLASSES))
            weights = len(train_labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
            CLASS_WEIGHTS = dict(enumerate(weights.tolist()))
            """)
    schedule = ""
    if config.schedule == "cosine":
        schedule = (
            "steps = -(-len(train_labels) // BATCH_SIZE) * epochs\n"
            "    rate = keras.optimizers.schedules.CosineDecay(rate, steps)\n    "
        )
    weighting = _WEIGHTED if config.class_weights else _UNWEIGHTED
    yield _FIT.format(schedule=schedule, callbacks=", ".join(_callbacks(config)), **weighting)


def _optimizer(config: TrainingConfig) -> str:
    decay = config.weight_decay
    built = _OPTIMIZERS[config.optimizer].format(decay=decay, decay_or_none=decay or None, momentum=_MOMENTUM)
    lines = [f"return {built}"]
    if decay and config.optimizer in _DECAYING:
        only_kernels = 'result.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])  # only kernels decay'
        lines = [f"result = {built}", only_kernels, "return result"]
    return "def optimizer(rate):\n" + indent("\n".join(lines), "    ") + "\n"


def _callbacks(config: TrainingConfig) -> Iterator[str]:
    yield "best"
    watched = 'monitor="val_cross_entropy", mode="min"'
    if config.early_stopping_patience is not None:
        yield f"keras.callbacks.EarlyStopping({watched}, patience={config.early_stopping_patience})"
    if config.schedule == "plateau":
        yield f"keras.callbacks.ReduceLROnPlateau({watched}, {_PLATEAU})"
