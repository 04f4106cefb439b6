"""The operators of ONNX in all its versions, and old experimental ones (written by a script)."""

from __future__ import annotations

__all__ = ["ONNX_OPERATORS"]

# <!-- typos:off -->
_ONNX_TEXT = """
Abs Acos Acosh Adagrad Adam Add Affine AffineGrid And ArgMax ArgMin ArrayFeatureExtractor Asin
Asinh Atan Atanh Attention AveragePool BatchNormalization Bernoulli Binarizer BitCast BitShift
BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike CastMap CategoryMapper
CausalConvWithState Ceil Celu CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence
Constant ConstantFill ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh Crop CumProd CumSum
DFT DeformConv DepthToSpace DequantizeLinear Det DictVectorizer Div Dropout DynamicQuantizeLinear
DynamicSlice Einsum Elu Equal Erf Exp Expand EyeLike FeatureVectorizer Flatten FlexAttention Floor
GRU GRUUnit Gather GatherElements GatherND Gelu Gemm GivenTensorFill GlobalAveragePool
GlobalLpPool GlobalMaxPool Gradient Greater GreaterOrEqual GridSample GroupNormalization
HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder ImageScaler
Imputer InstanceNormalization IsInf IsNaN LRN LSTM LabelEncoder LayerNormalization LeakyRelu Less
LessOrEqual LinearAttention LinearClassifier LinearRegressor Log LogSoftmax Loop LpNormalization
LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization
MelWeightMatrix Min Mish Mod Momentum Mul Multinomial Neg NegativeLogLikelihoodLoss
NonMaxSuppression NonZero Normalizer Not OneHot OneHotEncoder Optional OptionalGetElement
OptionalHasElement Or PRelu Pad ParametricSoftplus Pow QLinearConv QLinearMatMul QuantizeLinear
RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range
Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign
RotaryEmbedding Round STFT SVMClassifier SVMRegressor Scale ScaledTanh Scaler Scan Scatter
ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase
SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze
StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter
TfIdfVectorizer ThresholdedRelu Tile TopK Transpose TreeEnsemble TreeEnsembleClassifier
TreeEnsembleRegressor Trilu Unique Unsqueeze Upsample Where Xor ZipMap
"""
# <!-- typos:on -->

ONNX_OPERATORS: frozenset[str] = frozenset(_ONNX_TEXT.split())
"""Names in the domains of ONNX, as ``onnx.defs`` of onnx 1.23 lists them."""
