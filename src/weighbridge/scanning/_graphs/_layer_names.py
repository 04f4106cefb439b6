"""The operators of Paddle and the layers of Caffe and ncnn that only compute."""

from __future__ import annotations

__all__ = ["CAFFE_LAYERS", "NCNN_LAYERS", "PADDLE_OPERATORS"]

# <!-- typos:off -->
_CAFFE_TEXT = """
AbsVal Accuracy AnnotatedData ArgMax Axpy BN BNLL BatchNorm BatchReindex Bias Clip Concat
ContrastiveLoss Convolution ConvolutionDepthwise Crop Data Deconvolution DepthwiseConvolution
DetectionEvaluate DetectionOutput Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter
Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData InfogainLoss InnerProduct Input Interp LRN
LSTM LSTMUnit Log MVN MemoryData MultiBoxLoss MultinomialLogisticLoss Normalize PReLU PSROIPooling
Parameter Permute Pooling Power PriorBox Proposal RNN ROIPooling ReLU ReLU6 Recurrent Reduction
Region Reorg Reshape Resize SPP Scale ShuffleChannel Sigmoid SigmoidCrossEntropyLoss Silence Slice
SmoothL1Loss Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile Upsample WindowData
"""
# <!-- typos:on -->

CAFFE_LAYERS: frozenset[str] = frozenset(_CAFFE_TEXT.split())
"""Layers of Caffe and of its SSD and segmentation branches."""

# <!-- typos:off -->
_NCNN_TEXT = """
AbsVal ArgMax BNLL BatchNorm Bias BinaryOp CELU Cast Clip Concat Convolution Convolution1D
Convolution3D ConvolutionDepthWise ConvolutionDepthWise1D ConvolutionDepthWise3D CopyTo Crop
CumulativeSum Deconvolution Deconvolution1D Deconvolution3D DeconvolutionDepthWise
DeconvolutionDepthWise1D DeconvolutionDepthWise3D DeepCopy DeformableConv2D Dequantize
DetectionOutput Diag Dropout ELU Einsum Eltwise Embed Erf Exp ExpandDims Flatten Flip Fold GELU
GEMM GLU GRU Gemm GridSample GroupNorm HardSigmoid HardSwish InnerProduct Input InstanceNorm
Interp InverseSpectrogram LRN LSTM LayerNorm Log MVN MatMul MemoryData Mish MultiHeadAttention
Noop Normalize PReLU PSROIPooling Packing Padding Permute PixelShuffle Pooling Pooling1D Pooling3D
Power PriorBox Proposal Quantize RMSNorm RNN ROIAlign ROIPooling ReLU Reduction Reorg Requantize
Reshape RotaryEmbed SDPA SELU SPP Scale Shrink ShuffleChannel Sigmoid Slice Softmax Softplus
Spectrogram Split Squeeze StatisticsPooling Swish TanH Threshold Tile UnaryOp Unfold
YoloDetectionOutput Yolov3DetectionOutput
"""
# <!-- typos:on -->

NCNN_LAYERS: frozenset[str] = frozenset(_NCNN_TEXT.split())
"""Layers of ncnn."""

# <!-- typos:off -->
_PADDLE_TEXT = """
abs accuracy acos acosh adadelta adagrad adam adamax adamw add_n addmm affine_channel affine_grid
allclose anchor_generator angle arange arg_max arg_min argsort array_to_lod_tensor as_complex
as_real ascii_to_int asin asinh assert assign assign_value atan atan2 atanh auc
average_accumulates batch_fc batch_norm bce_loss beam_search beam_search_decode bernoulli
bicubic_interp bicubic_interp_v2 bilinear_interp bilinear_interp_v2 bilinear_tensor_product
bincount bipartite_match bitwise_and bitwise_not bitwise_or bitwise_xor block_multihead_attention
bmm box_clip box_coder bpr_loss brelu broadcast_tensors bucketize c_allreduce_sum c_concat
c_embedding c_identity c_split cast ceil center_loss channel_shuffle check_finite_and_unscale
cholesky cholesky_solve chunk_eval clip clip_by_norm coalesce_tensor collect_fpn_proposals complex
concat conditional_block conditional_block_infer conj conv2d conv2d_fusion conv2d_inception_fusion
conv2d_transpose conv3d conv3d_transpose cos cos_sim cosh crf_decoding crop crop_tensor cross
cross_entropy cross_entropy2 ctc_align cudnn_lstm cumprod cumsum data_norm decayed_adagrad
deformable_attention deformable_conv deformable_conv_v1 density_prior_box depend depthwise_conv2d
depthwise_conv2d_transpose dequantize dequantize_linear dequantize_max_abs determinant diag
diag_embed diag_v2 diagonal digamma dist distribute_fpn_proposals dot dpsgd dropout dynamic_gru
dynamic_lstm edit_distance eig eigh eigvals eigvalsh einsum elementwise_add elementwise_div
elementwise_floordiv elementwise_fmax elementwise_fmin elementwise_heaviside elementwise_max
elementwise_min elementwise_mod elementwise_mul elementwise_pow elementwise_sub elu embedding
equal equal_all erf erfinv exp expand expand_as expand_as_v2 expand_v2 expm1 eye
fake_channel_wise_dequantize_max_abs fake_channel_wise_quantize_abs_max
fake_channel_wise_quantize_dequantize_abs_max fake_dequantize_max_abs fake_quantize_abs_max
fake_quantize_dequantize_abs_max fake_quantize_dequantize_moving_average_abs_max
fake_quantize_moving_average_abs_max fake_quantize_range_abs_max faster_tokenizer fc fc_fuse feed
fetch fft_c2c fft_c2r fft_r2c fill_any fill_any_like fill_constant fill_constant_batch_size_like
fill_diagonal_tensor fill_zeros_like filter_by_instag flash_attn flatten flatten2
flatten_contiguous_range flip floor fold frac frame ftrl fused_attention fused_batch_norm_act
fused_bias_act fused_conv2d_add_act fused_elemwise_activation fused_embedding_eltwise_layernorm
fused_fc_elementwise_layernorm fused_feedforward fused_layernorm fused_multi_transformer
fused_rotary_position_embedding fusion_gru fusion_lstm gamma gather gather_nd gather_tree
gaussian_random gelu generate_proposals generate_proposals_v2 graph_send_recv greater_equal
greater_than grid_sampler group_norm gru gru_unit hard_shrink hard_sigmoid hard_swish hardsigmoid
hardswish hash hierarchical_sigmoid hinge_loss histogram huber_loss im2sequence imag increment
index_add index_put index_sample index_select instance_norm inverse iou_similarity is_empty
isclose isfinite isfinite_v2 isinf isinf_v2 isnan isnan_v2 kldiv_loss kron kthvalue l1_norm
label_smooth lamb lars_momentum layer_norm leaky_relu lerp less_equal less_than lgamma
linear_chain_crf linear_interp linear_interp_v2 linspace lite_engine_placeholder llm_int8_linear
lod_array_length lod_rank_table lod_reset lod_tensor_to_array log log10 log1p log2 log_loss
log_softmax logcumsumexp logical_and logical_not logical_or logical_xor logsigmoid logspace
logsumexp lookup_table lookup_table_v2 lrn lstm lstm_unit lstsq lu lu_unpack margin_rank_loss
masked_multihead_attention masked_select matmul matmul_v2 matrix_nms matrix_power matrix_rank
max_sequence_len maxout mean mean_iou median memcpy memcpy_d2h memcpy_h2d
memory_efficient_attention merge_lod_tensor merge_lod_tensor_infer meshgrid mine_hard_examples
minus mish mode modified_huber_loss momentum moving_average_abs_max_scale mul multiclass_nms
multiclass_nms2 multiclass_nms3 multihead_matmul multinomial mv nanmedian nce nearest_interp
nearest_interp_v2 nll_loss nms nonzero nop norm not_equal numel one_hot one_hot_v2 overlap_add
p_norm pad pad2d pad3d pad_constant_like partial_concat partial_sum pixel_shuffle pixel_unshuffle
polygamma polygon_box_transform pool2d pool3d positive_negative_pair pow prelu print prior_box
proximal_gd prroi_pool psroi_pool put_along_axis qr quantize quantize_linear randint random_crop
randperm range rank rank_loss read_from_array real reciprocal recurrent reduce_all reduce_amax
reduce_amin reduce_any reduce_max reduce_mean reduce_min reduce_prod reduce_sum relu relu6
reorder_lod_tensor_by_rank requantize reshape reshape2 retinanet_detection_output reverse rms_norm
rmsprop rnn roi_align roi_pool roll round row_conv rpn_target_assign rsqrt run_program sampling_id
scale scatter scatter_nd_add searchsorted segment_pool select_input select_output
self_attention_fuse selu send_u_recv sequence_concat sequence_conv sequence_enumerate
sequence_erase sequence_expand sequence_expand_as sequence_mask sequence_pad sequence_pool
sequence_reshape sequence_reverse sequence_slice sequence_softmax sequence_unpad set_tensor_array
set_value set_value_with_tensor sgd shape shard_index share_data shrink_rnn_memory shuffle_channel
sigmoid sigmoid_cross_entropy_with_logits sign silu sin sinh size skip_layernorm slice
slogdeterminant smooth_l1_loss softmax softmax_with_cross_entropy softplus softshrink softsign
solve sort space_to_depth spectral_norm split split_lod_tensor sqrt square squared_l2_norm squeeze
squeeze2 stack stft strided_slice sum svd swish sync_batch_norm take_along_axis tan tanh
target_assign teacher_student_sigmoid_loss temporal_shift tensor_array_to_tensor thresholded_relu
tile top_k top_k_v2 trace transpose transpose2 triangular_solve tril tril_triu trilinear_interp
trilinear_interp_v2 triu trunc truncated_gaussian_random unbind unfold uniform_random
uniform_random_batch_size_like unique unique_consecutive unsqueeze unsqueeze2 unstack
update_loss_scaling vit_attention viterbi_decode warpctc weight_only_linear weight_quantize where
where_index while write_to_array yolo_box yolo_box_head yolo_box_post
"""
# <!-- typos:on -->

PADDLE_OPERATORS: frozenset[str] = frozenset(_PADDLE_TEXT.split())
"""Operators of Paddle 1.8 to 2.6; the gradient of each is known as well."""
