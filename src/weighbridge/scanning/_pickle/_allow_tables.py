"""The allow-list that is written by hand, second part: tables, learners and checkpoints.

What is said in ``_allow_names`` holds here too. Where a class has a ``__setstate__`` of its own, it
was read: it keeps what it is given, or gives it to a parser of its own (XGBoost, LightGBM).
"""

from __future__ import annotations

__all__ = ["TABLE_CONSTRUCTORS", "TABLE_DATA"]

_INDEXES = (
    "CategoricalIndex DatetimeIndex Float64Index Index Int64Index IntervalIndex MultiIndex"
    " NumericIndex PeriodIndex RangeIndex TimedeltaIndex UInt64Index"
)
_FRAMES = "DataFrame Series SparseDataFrame SparseSeries"
_ARRAYS = (
    "ArrowStringArray BooleanArray Categorical DatetimeArray FloatingArray IntegerArray"
    " IntervalArray NumpyExtensionArray PandasArray PeriodArray SparseArray StringArray"
    " TimedeltaArray"
)
_DTYPES = (
    "BooleanDtype CategoricalDtype DatetimeTZDtype Float32Dtype Float64Dtype Int16Dtype Int32Dtype"
    " Int64Dtype Int8Dtype IntervalDtype PandasDtype PeriodDtype SparseDtype StringDtype"
    " UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype NumpyEADtype ArrowDtype"
)
_BLOCKS = (
    "Block BoolBlock CategoricalBlock ComplexBlock DatetimeBlock DatetimeLikeBlock DatetimeTZBlock"
    " ExtensionBlock FloatBlock IntBlock NumericBlock ObjectBlock SparseBlock TimeDeltaBlock"
)
_MANAGERS = "BlockManager SingleBlockManager SingleDataManager DataManager"
_OFFSETS = (
    "BDay BMonthBegin BMonthEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd BusinessDay"
    " BusinessHour BusinessMonthBegin BusinessMonthEnd CDay CustomBusinessDay CustomBusinessHour"
    " CustomBusinessMonthBegin CustomBusinessMonthEnd DateOffset Day Easter FY5253 FY5253Quarter"
    " Hour LastWeekOfMonth Micro Milli Minute MonthBegin MonthEnd Nano QuarterBegin QuarterEnd"
    " Second SemiMonthBegin SemiMonthEnd Week WeekOfMonth YearBegin YearEnd"
)
_OFFSET_MODULES = (
    "pandas._libs.tslibs.offsets",
    "pandas.tseries.offsets",
    "pandas.core.offsets",
)
_METRICS = " ".join(
    f"{name}Distance"
    for name in [
        "BrayCurtis",
        "Canberra",
        "Chebyshev",
        "Dice",
        "Euclidean",
        "Hamming",
        "Haversine",
        "Jaccard",
        "Kulsin",
        "Mahalanobis",
        "Manhattan",
        "Matching",
        "Minkowski",
        "RogersTanimoto",
        "RussellRao",
        "SEuclidean",
        "SokalMichener",
        "SokalSneath",
        "WMinkowski",
    ]
)
_LIGHTGBM = "Booster Dataset"
_XGBOOST = "Booster DMatrix"

# Shape of the arguments -> module -> names.
TABLE_CONSTRUCTORS: dict[str, dict[str, str]] = {
    "instance": {
        "accelerate.utils.dataclasses": "AutocastKwargs DistributedDataParallelKwargs"
        " GradScalerKwargs GradientAccumulationPlugin InitProcessGroupKwargs"
        " ProjectConfiguration",
        # Its __setstate__ gives bytes to CatBoost's own parser, which runs nothing.
        "catboost.core": "CatBoost CatBoostClassifier CatBoostRanker CatBoostRegressor",
        "chemprop.args": "TrainArgs",
        "hdbscan.hdbscan_": "HDBSCAN",
        "hdbscan.prediction": "PredictionData",
        # <!-- typos:off -->
        "implicit.cpu.als": "AlternatingLeastSquares",
        # <!-- typos:on -->
        "implicit.cpu.bpr": "BayesianPersonalizedRanking",
        "implicit.cpu.lmf": "LogisticMatrixFactorization",
        "lifelines.fitters.coxph_fitter": "CoxPHFitter SemiParametricPHFitter",
        "lifelines.fitters.kaplan_meier_fitter": "KaplanMeierFitter",
        "lifelines.fitters.nelson_aalen_fitter": "NelsonAalenFitter",
        "lifelines.fitters.weibull_aft_fitter": "WeibullAFTFitter",
        "lifelines.fitters.weibull_fitter": "WeibullFitter",
        "lifelines.utils": "CovariateParameterMappings",
        "peft.tuners.lora.config": "LoraConfig LoraRuntimeConfig",
        "shap.explainers._linear": "LinearExplainer",
        "shap.explainers._tree": "SingleTree TreeEnsemble TreeExplainer",
        "shap.maskers._tabular": "Independent",
        "surprise.prediction_algorithms.baseline_only": "BaselineOnly",
        "surprise.prediction_algorithms.co_clustering": "CoClustering",
        "surprise.prediction_algorithms.knns": "KNNBaseline KNNBasic KNNWithMeans KNNWithZScore",
        "surprise.prediction_algorithms.matrix_factorization": "NMF SVD SVDpp",
        "surprise.prediction_algorithms.random_pred": "NormalPredictor",
        "surprise.prediction_algorithms.slope_one": "SlopeOne",
        "surprise.trainset": "Trainset",
        "torch.distributed.checkpoint.filesystem": "_StorageInfo _StoragePrefix",
        "torch.distributed.checkpoint.metadata": "BytesStorageMetadata ChunkStorageMetadata"
        " Metadata MetadataIndex StorageMeta TensorProperties TensorStorageMetadata",
        "transformers.tokenization_utils_base": "BatchEncoding",
        "lightgbm.basic": _LIGHTGBM,
        "lightgbm.callback": "_EarlyStoppingCallback _LogEvaluationCallback"
        " _RecordEvaluationCallback",
        "nltk.tokenize.punkt": "PunktLanguageVars PunktParameters PunktSentenceTokenizer"
        " PunktToken PunktTrainer PunktWordTokenizer",
        "nltk.probability": "ConditionalFreqDist ConditionalProbDist ELEProbDist LaplaceProbDist"
        " LidstoneProbDist MLEProbDist",
        "nltk.classify.naivebayes": "NaiveBayesClassifier",
        "nltk.classify.scikitlearn": "SklearnClassifier",
        "nltk.tag.perceptron": "AveragedPerceptron PerceptronTagger",
        "nltk.tag.sequential": "AffixTagger BigramTagger DefaultTagger NgramTagger TrigramTagger"
        " UnigramTagger",
        "gensim.corpora.dictionary": "Dictionary",
        "gensim.models.keyedvectors": "CompatVocab Doc2VecKeyedVectors EuclideanKeyedVectors"
        " FastTextKeyedVectors KeyedVectors Vocab Word2VecKeyedVectors WordEmbeddingsKeyedVectors",
        "gensim.models.word2vec": "Vocab Word2Vec Word2VecTrainables Word2VecVocab",
        "gensim.models.doc2vec": "Doc2Vec Doc2VecTrainables Doc2VecVocab Doctag DocvecsArray",
        "gensim.models.fasttext": "FastText FastTextTrainables FastTextVocab",
        "gensim.models.phrases": "FrozenPhrases Phraser Phrases",
        "gensim.models.ldamodel": "LdaModel LdaState",
        "gensim.models.callbacks": "CallbackAny2Vec",
        "numpy.polynomial.chebyshev": "Chebyshev",
        "numpy.polynomial.polynomial": "Polynomial",
        "numpy.polynomial.legendre": "Legendre",
        "numpy": "poly1d vectorize",
        "numpy.lib._function_base_impl": "vectorize",
        "numpy.lib.function_base": "vectorize",
        "numpy.lib.polynomial": "poly1d",
        "numpy.lib._polynomial_impl": "poly1d",
        "omegaconf.base": "Container ContainerMetadata Metadata Node",
        "omegaconf.basecontainer": "BaseContainer",
        "omegaconf.dictconfig": "DictConfig",
        "omegaconf.listconfig": "ListConfig",
        "omegaconf.nodes": "AnyNode BooleanNode BytesNode EnumNode FloatNode IntegerNode"
        " InterpolationResultNode PathNode StringNode ValueNode",
        "pandas": f"{_FRAMES} {_ARRAYS} {_INDEXES}",
        "pandas.arrays": _ARRAYS,
        "pandas.core.api": _FRAMES,
        "pandas.core.arrays.arrow.array": "ArrowExtensionArray",
        "pandas.core.arrays.string_arrow": "ArrowStringArray ArrowStringArrayNumpySemantics",
        "pandas.core.arrays.boolean": "BooleanArray",
        "pandas.core.arrays.categorical": "Categorical",
        "pandas.core.arrays.datetimes": "DatetimeArray DatetimeArrayMixin",
        "pandas.core.arrays.floating": "FloatingArray",
        "pandas.core.arrays.integer": "IntegerArray",
        "pandas.core.arrays.interval": "IntervalArray",
        "pandas.core.arrays.masked": "BaseMaskedArray",
        "pandas.core.arrays.numpy_": "NumpyExtensionArray PandasArray PandasDtype",
        "pandas.core.arrays.period": "PeriodArray",
        "pandas.core.arrays.sparse": "SparseArray",
        "pandas.core.arrays.sparse.array": "SparseArray",
        "pandas.core.arrays.string_": "StringArray StringArrayNumpySemantics",
        "pandas.core.arrays.timedeltas": "TimedeltaArray TimedeltaArrayMixin",
        "pandas.core.categorical": "Categorical",
        "pandas.core.flags": "Flags",
        "pandas.core.frame": "DataFrame",
        "pandas.core.index": _INDEXES,
        "pandas.core.indexes.base": "Index",
        "pandas.core.indexes.category": "CategoricalIndex",
        "pandas.core.indexes.datetimes": "DatetimeIndex",
        "pandas.core.indexes.interval": "IntervalIndex",
        "pandas.core.indexes.multi": "MultiIndex",
        "pandas.core.indexes.numeric": "Float64Index Int64Index NumericIndex UInt64Index",
        "pandas.core.indexes.period": "PeriodIndex",
        "pandas.core.indexes.range": "RangeIndex",
        "pandas.core.indexes.timedeltas": "TimedeltaIndex",
        "pandas.core.internals": _BLOCKS,
        "pandas.core.internals.blocks": _BLOCKS,
        "pandas.core.series": "Series",
        "pandas.core.sparse.frame": "SparseDataFrame",
        "pandas.core.sparse.series": "SparseSeries",
        "pandas.indexes.base": "Index",
        "pandas.indexes.multi": "MultiIndex",
        "pandas.indexes.numeric": "Float64Index Int64Index",
        "pandas.indexes.range": "RangeIndex",
        "pandas.tseries.index": "DatetimeIndex",
        "pandas.tseries.period": "PeriodIndex",
        "pandas.tseries.tdi": "TimedeltaIndex",
        "patsy.design_info": "DesignInfo",
        "scipy.spatial._ckdtree": "cKDTree cKDTreeNode",
        "scipy.spatial.ckdtree": "cKDTree cKDTreeNode",
        "scipy.spatial._kdtree": "KDTree KDTree.innernode KDTree.leafnode KDTree.node",
        "scipy.spatial.kdtree": "KDTree KDTree.innernode KDTree.leafnode KDTree.node",
        "scipy.spatial.transform._rotation": "Rotation",
        "scipy.spatial.transform.rotation": "Rotation",
        "scipy.spatial._qhull": "ConvexHull Delaunay Voronoi",
        "scipy.spatial.qhull": "ConvexHull Delaunay Voronoi",
        "scipy.interpolate._interpnd": "CloughTocher2DInterpolator LinearNDInterpolator",
        "scipy.interpolate.interpnd": "CloughTocher2DInterpolator LinearNDInterpolator",
        "scipy.interpolate._rgi_cython": "NdPPoly",
        "torch.amp.grad_scaler": "GradScaler",
        "torch.cuda.amp.grad_scaler": "GradScaler",
        "torch.nn.modules.module": "_WrappedHook",
        "torch.nn.utils.spectral_norm": "SpectralNorm SpectralNormLoadStateDictPreHook"
        " SpectralNormStateDictHook",
        "torch.nn.utils.weight_norm": "WeightNorm",
        "torch.utils.hooks": "RemovableHandle",
        "torch.nn.parallel.data_parallel": "DataParallel",
        "torch.utils.data.dataset": "ConcatDataset Subset TensorDataset",
        "torch.utils.data.sampler": "BatchSampler RandomSampler SequentialSampler",
        "tokenizers": "AddedToken",
        "transformers.generation.configuration_utils": "GenerationConfig WatermarkingConfig",
        "transformers.integrations.deepspeed": "HfTrainerDeepSpeedConfig HfDeepSpeedConfig",
        "transformers.deepspeed": "HfTrainerDeepSpeedConfig HfDeepSpeedConfig",
        "transformers.trainer_callback": "TrainerControl TrainerState",
        "transformers.trainer_pt_utils": "AcceleratorConfig LabelSmoother",
        "transformers.utils.quantization_config": "BitsAndBytesConfig GPTQConfig AwqConfig",
        "ultralytics.utils": "IterableSimpleNamespace",
        "ultralytics.yolo.utils": "IterableSimpleNamespace",
        "xgboost.callback": "EarlyStopping EvaluationMonitor LearningRateScheduler"
        " TrainingCheckPoint",
        "xgboost.core": _XGBOOST,
    },
    "enum": {
        "lightning_fabric.utilities.enums": "LightningEnum",
        "lifelines.utils": "CensoringType",
        "torch.distributed.checkpoint.metadata": "_MEM_FORMAT_ENCODING",
        "peft.utils.peft_types": "PeftType TaskType",
        "pytorch_lightning.utilities.enums": "GradClipAlgorithmType LightningEnum",
        "pytorch_lightning.trainer.states": "RunningStage TrainerFn TrainerStatus",
        "torch.distributed.fsdp.api": "BackwardPrefetch ShardingStrategy StateDictType",
        "torchvision.transforms.functional": "InterpolationMode",
        "transformers.debug_utils": "DebugOption",
    },
    "constants": {
        "_io": "BytesIO StringIO",
        "io": "BytesIO StringIO",
        "logging": "getLogger",
        "dateutil.tz.tz": "tzfile tzlocal tzoffset tzutc",
        "dateutil.relativedelta": "weekday",
        "dateutil._common": "weekday",
        "pandas": "NaT",
        "pandas._libs.missing": "NAType",
        "pandas._libs.tslib": "NaTType __nat_unpickle",
        "pandas._libs.tslibs.nattype": "NaTType __nat_unpickle _nat_unpickle",
        "pandas.tslib": "NaTType __nat_unpickle",
        "pytz": "_UTC _p",
        "torch": "Generator",
    },
    "containers": {
        "pandas.core.indexes.frozen": "FrozenList",
        "pandas.indexes.frozen": "FrozenList",
        "pandas.core.base": "FrozenList",
    },
    "numbers": {
        "sklearn.linear_model.sgd_fast": "Classification EpsilonInsensitive Hinge Huber Log"
        " LossFunction ModifiedHuber Regression SquaredEpsilonInsensitive SquaredHinge"
        " SquaredLoss",
        "sklearn.linear_model._sgd_fast": "Huber Log LossFunction SquaredLoss",
        "sklearn.neighbors.quad_tree": "_QuadTree",
        "sklearn.tree._criterion": "FriedmanMSE MAE MSE",
    },
    "none": {
        # Of joblib before 0.10: see what the judge asks of its state.
        "joblib.numpy_pickle": "NDArrayWrapper",
        "lightning_fabric.utilities.data": "AttributeDict",
        "lightning.fabric.utilities.data": "AttributeDict",
        "pytorch_lightning.utilities.parsing": "AttributeDict",
        "lightning.pytorch.utilities.parsing": "AttributeDict",
        "nltk.probability": "FreqDist",
        "scipy.optimize": "OptimizeResult",
        "scipy.optimize._optimize": "OptimizeResult",
        "scipy.optimize.optimize": "OptimizeResult",
        **dict.fromkeys(
            (
                "sklearn.metrics._dist_metrics",
                "sklearn.neighbors._dist_metrics",
                "sklearn.neighbors.dist_metrics",
            ),
            _METRICS,
        ),
        "hdbscan.dist_metrics": _METRICS,
        "sklearn.neighbors.ball_tree": "BallTree BinaryTree",
        "sklearn.neighbors.kd_tree": "BinaryTree KDTree",
        "sklearn.neighbors._ball_tree": "BinaryTree",
        "sklearn.neighbors._kd_tree": "BinaryTree",
    },
    "values": {
        "sklearn._loss.glm_distribution": "DistributionBoundary",
        "sklearn.impute._iterative": "_ImputerTriplet",
        "dateutil.relativedelta": "relativedelta",
        "pandas": f"{_DTYPES} DateOffset Interval Period Timedelta Timestamp",
        "pandas._libs.internals": "BlockPlacement _unpickle_block",
        "pandas._libs.interval": "Interval",
        "pandas._libs.period": "Period",
        "pandas._libs.sparse": "BlockIndex IntIndex",
        "pandas._libs.tslib": "Timedelta Timestamp",
        "pandas._libs.tslibs.period": "Period _period_unpickle",
        "pandas._libs.tslibs.timedeltas": "Timedelta _timedelta_unpickle",
        "pandas._libs.tslibs.timestamps": "Timestamp _unpickle_timestamp",
        "pandas._sparse": "BlockIndex IntIndex",
        "pandas._period": "Period",
        "pandas.core.arrays.arrow.dtype": "ArrowDtype",
        "pandas.core.arrays.boolean": "BooleanDtype",
        "pandas.core.arrays.floating": "Float32Dtype Float64Dtype",
        "pandas.core.arrays.integer": "Int16Dtype Int32Dtype Int64Dtype Int8Dtype UInt16Dtype"
        " UInt32Dtype UInt64Dtype UInt8Dtype",
        "pandas.core.arrays.sparse.dtype": "SparseDtype",
        "pandas.core.arrays.string_": "StringDtype",
        "pandas.core.dtypes.dtypes": _DTYPES,
        "pandas.core.internals": _MANAGERS,
        "pandas.core.internals.base": _MANAGERS,
        "pandas.core.internals.managers": _MANAGERS,
        "pandas.tslib": "Timedelta Timestamp",
        **dict.fromkeys(_OFFSET_MODULES, _OFFSETS),
    },
}

_ACTIVATIONS = (
    "binary_cross_entropy binary_cross_entropy_with_logits celu cross_entropy elu gelu glu"
    " hardsigmoid hardswish hardtanh interpolate l1_loss leaky_relu log_softmax logsigmoid mish"
    " mse_loss nll_loss normalize pad prelu relu relu6 rrelu selu sigmoid silu smooth_l1_loss"
    " softmax softmin softplus softshrink softsign tanh tanhshrink threshold"
)
_ADAPTERS = "abs cos exp log log1p max mean min relu rsqrt sigmoid sin softmax sqrt square sum tanh"

_ARITHMETIC = "add and_ eq floordiv ge gt le lt mod mul ne neg not_ or_ pos sub truediv xor"

# They may stand somewhere, but not be called.
TABLE_DATA: dict[str, str] = {
    **dict.fromkeys(
        ("pandas.core.base", "pandas.core.indexes.frozen", "pandas.indexes.frozen"),
        "FrozenNDArray",
    ),
    "_operator": _ARITHMETIC,
    "math": "ceil cos exp fabs floor inf log log10 log1p log2 pow sin sqrt tan tanh",
    "operator": _ARITHMETIC,
    # What classes by value inherit; a call of one fails.
    "enum": "Enum.__new__ Flag.__new__ IntEnum.__new__ IntFlag.__new__ StrEnum.__new__",
    "builtins": "abs len max min pow round sorted sum float.__new__ int.__new__ object.__new__"
    " str.__new__ tuple.__new__ "
    + " ".join(
        f"str.{name}"
        for name in [
            "capitalize",
            "casefold",
            "isalpha",
            "isdigit",
            "lower",
            "split",
            "splitlines",
            "strip",
            "title",
            "upper",
        ]
    ),
    "scipy.special._ufuncs": "erf expit gammaln logit xlogy",
    "scipy.special": "erf expit gammaln logit xlogy",
    "sklearn.metrics._scorer": "_passthrough_scorer",
    "sklearn.metrics.scorer": "_passthrough_scorer",
    "gensim.models.phrases": "npmi_scorer original_scorer",
    "gensim.utils": "call_on_class_only",
    "pandas._libs.missing": "NA",
    "pandas": "NA",
    **dict.fromkeys(
        (
            "scipy.interpolate",
            "scipy.interpolate._interpolate",
            "scipy.interpolate.interpolate",
        ),
        " ".join(
            f"interp1d._call_{kind}"
            for kind in ("linear", "linear_np", "nan_spline", "nearest", "previousnext", "spline")
        ),
    ),
    "torch": _ADAPTERS,
    "torch._C._nn": "gelu gelu_ hardtanh leaky_relu log_sigmoid silu softplus",
    "torch.nn.functional": _ACTIVATIONS,
    "torch.nn.init": "kaiming_normal_ kaiming_uniform_ normal_ xavier_normal_ xavier_uniform_"
    " zeros_",
    "torchvision.ops.boxes": "box_iou",
    "transformers.activations": "gelu_new",
    "typing": "Any Callable Dict List Optional Set Tuple Union",
}
