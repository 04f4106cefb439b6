"""The layers of OpenVINO in all operator sets, and of its older documents."""

from __future__ import annotations

__all__ = ["OPENVINO_LAYERS"]

# <!-- typos:off -->
_OPENVINO_TEXT = """
Abs Acos Acosh Activation AdaptiveAvgPool AdaptiveMaxPool Add ArgMax Asin Asinh Assign Atan Atanh
AvgPool BGRtoNV12 BatchNormInference BatchNormalization BatchToSpace Bias BinaryConvolution
BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Broadcast Bucketize
CTCGreedyDecoder CTCGreedyDecoderSeqLen CTCLoss Ceil Ceiling Clamp Clip Col2Im Concat Const
Constant Convert ConvertLike ConvertPromoteTypes Convolution ConvolutionBackpropData Copy Cos Cosh
Crop CumSum DFT Deconvolution DeformableConvolution DeformablePSROIPooling DepthToSpace
DetectionOutput Divide ELU Einsum Eltwise Elu EmbeddingBagOffsets EmbeddingBagOffsetsSum
EmbeddingBagPacked EmbeddingBagPackedSum EmbeddingSegmentsSum Equal Erf ErfInv Exp
ExperimentalDetectronDetectionOutput ExperimentalDetectronGenerateProposalsSingleImage
ExperimentalDetectronPriorGridGenerator ExperimentalDetectronROIFeatureExtractor
ExperimentalDetectronTopKROIs ExtractImagePatches Eye FakeConvert FakeQuantize Fill Floor FloorMod
FullyConnected GRN GRUCell GRUSequence Gather GatherElements GatherND GatherTree Gelu
GenerateProposals Greater GreaterEqual GridSample GroupConvolution GroupConvolutionBackpropData
GroupNormalization GroupedMatMul HSigmoid HSwish HardSigmoid I420toBGR I420toRGB IDFT IRDFT ISTFT
Identity If Input Interp Interpolate Inverse IsFinite IsInf IsNaN LRN LSTMCell LSTMSequence Less
LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr LogicalXor Logistic Loop MVN MatMul
MatrixNms MaxPool Maximum Memory Minimum Mish Mod MulticlassNms Multinomial Multiply NMSRotated
NV12toBGR NV12toRGB Neg Negative NonMaxSuppression NonZero Norm Normalize NormalizeL2 Not NotEqual
OneHot Output PReLU PRelu PSROIPooling Pad Parameter Permute Pooling Power PriorBox
PriorBoxClustered Proposal Quantize RDFT RGBtoNV12 RNNCell RNNSequence ROIAlign ROIAlignRotated
ROIPooling RandomUniform Range ReLU ReadValue Reciprocal ReduceAnd ReduceL1 ReduceL2 ReduceLogSum
ReduceLogSumExp ReduceLogicalAnd ReduceLogicalOr ReduceMax ReduceMean ReduceMin ReduceOr
ReduceProd ReduceSum ReduceSumSquare RegionYolo Relu ReorgYolo Resample Reshape Result Reverse
ReverseSequence Roll Round STFT ScaleShift ScaledDotProductAttention ScatterElementsUpdate
ScatterNDUpdate ScatterUpdate SearchSorted SegmentMax Select Selu ShapeOf ShuffleChannels Sigmoid
Sign SimplerNMS Sin Sinh Sink Slice SliceScatter SoftMax SoftPlus SoftSign Softmax Softsign
SpaceToBatch SpaceToDepth SparseFillEmptyRows Split Sqrt SquaredDifference Squeeze StridedSlice
StringTensorPack StringTensorUnpack Subtract Swish Tan TanH Tanh TensorIterator Tile TopK
Transpose Unique Unsqueeze VariadicSplit Xor
"""
# <!-- typos:on -->

OPENVINO_LAYERS: frozenset[str] = frozenset(_OPENVINO_TEXT.split())
"""As the headers of OpenVINO 2026.4 and documents of version 5 to 7 have them."""
