#include "model/engine/torch/cuda_engine.h"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_fp16.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status.h"
#include "model/engine/digit_cnn.h"
#include "model/engine/torch/cuda_capture.h"
#include "model/engine/torch/cuda_kernel_math.h"
#include "model/engine/torch/cuda_kernels.h"
#include "model/engine/torch/guarded.h"

namespace digit {
namespace {

// LibTorch keeps lists of all graphs and of cuBLAS's workspaces, and before 2.13 no lock on them.
std::mutex& GraphsMutex() {
  static std::mutex& mutex = *new std::mutex;
  return mutex;
}

void ForgetCublasWorkspaces() {
#if TORCH_VERSION_MAJOR >= 2  // before, there was no way
  at::cuda::clearCublasWorkspaces();
#endif
}

// A stream that no other engine has while this one lives: what one launches must not get into a graph that another is
// recording, and LibTorch hands out its own 32 in turns. Streams stay when engines go, for the next ones: LibTorch
// keeps freed memory for the stream that it was used on.
class OwnStream {
 public:
  explicit OwnStream(c10::DeviceIndex device) : stream_(Take(device)) {}  // may throw
  OwnStream(const OwnStream&) = delete;
  ~OwnStream() {
    const std::lock_guard<std::mutex> lock(GetUnused().mutex);
    GetUnused().streams.push_back(stream_);
  }
  const c10::cuda::CUDAStream& get() const { return stream_; }

 private:
  struct Unused {
    std::mutex mutex;
    std::vector<c10::cuda::CUDAStream> streams;
  };
  static Unused& GetUnused() {
    static Unused& unused = *new Unused;
    return unused;
  }
  static c10::cuda::CUDAStream Take(c10::DeviceIndex device) {
    std::vector<c10::cuda::CUDAStream>& streams = GetUnused().streams;
    const std::lock_guard<std::mutex> lock(GetUnused().mutex);
    const auto found = std::find_if(streams.begin(), streams.end(), [device](const c10::cuda::CUDAStream& stream) {
      return stream.device_index() == device;
    });
    if (found != streams.end()) {
      const c10::cuda::CUDAStream stream = *found;
      streams.erase(found);
      return stream;
    }
    const c10::cuda::CUDAGuard on_device(device);
    cudaStream_t stream = nullptr;
    C10_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return c10::cuda::getStreamFromExternal(stream, device);
  }

  const c10::cuda::CUDAStream stream_;
};

int PaddedChannels(int channels) { return (channels + kChannelGroup - 1) / kChannelGroup * kChannelGroup; }

torch::Tensor HostTensor(absl::Span<const float> values, c10::IntArrayRef shape) {
  torch::Tensor tensor = torch::empty(shape, torch::kFloat);
  DIGIT_CHECK(static_cast<size_t>(tensor.numel()) == values.size());
  std::memcpy(tensor.data_ptr<float>(), values.data(), values.size() * sizeof(float));
  return tensor;
}

// Zeros are put behind the values along `dimension`.
torch::Tensor PadTo(const torch::Tensor& tensor, int64_t dimension, int64_t size) {
  std::vector<int64_t> shape = tensor.sizes().vec();
  shape[dimension] = size - shape[dimension];
  return shape[dimension] == 0 ? tensor : torch::cat({tensor, torch::zeros(shape)}, dimension);
}

// 0 for 1 image, 1 for 2, 2 for 3 and 4, ...: which graph.
int GraphOf(int64_t images) {
  int graph = 0;
  while ((int64_t{1} << graph) < images) ++graph;
  return graph;
}

class CudaEngine final : public InferenceEngine {
 public:
  CudaEngine(int index, Precision precision)
      : precision_(precision),
        device_(torch::kCUDA, static_cast<c10::DeviceIndex>(index)),
        own_stream_(device_.index()),
        stream_(own_stream_.get()) {}

  ~CudaEngine() override {
    // Graphs must not be freed while they run. An error here was reported where it happened.
    static_cast<void>(cudaStreamSynchronize(stream_.stream()));
    if (done_ != nullptr) static_cast<void>(cudaEventDestroy(done_));
    const std::lock_guard<std::mutex> lock(GraphsMutex());
    graphs_.clear();
  }

  // May throw.
  absl::Status Load(const Model& model) {
    const c10::InferenceMode inference_mode;
    const c10::cuda::CUDAStreamGuard on_stream(stream_);
    ASSIGN_OR_RETURN(const DigitCnn net, FindDigitCnn(model.file.tensors));
    LoadWeights(net);
    MakeBuffers();
    for (int images = 1; images <= kMaxCudaBatch; images *= 2) graphs_.push_back(Capture(images));
    C10_CUDA_CHECK(cudaStreamSynchronize(stream_.stream()));
    return absl::OkStatus();
  }

  uint8_t* InputBuffer(int images) override { return images <= kMaxCudaBatch ? staging_.data_ptr<uint8_t>() : nullptr; }

  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override {
    const size_t images = pixels.size() / kImagePixels;
    DIGIT_CHECK(images >= 1 && pixels.size() == images * kImagePixels && scores.size() == images * classes_);
    return Guarded(absl::StatusCode::kInternal, "run the model", [&] {
      for (size_t done = 0; done < images; done += kMaxCudaBatch) {
        const size_t n = std::min<size_t>(images - done, kMaxCudaBatch);
        InferBatch(pixels.subspan(done * kImagePixels, n * kImagePixels),
                   scores.subspan(done * classes_, n * classes_));
      }
      return absl::OkStatus();
    });
  }

  int num_classes() const override { return classes_; }
  absl::string_view name() const override { return precision_ == Precision::kHalf ? "cuda-fp16" : "cuda-fp32"; }
  Precision precision() const override { return precision_; }

 private:
  torch::ScalarType Real() const { return precision_ == Precision::kHalf ? torch::kHalf : torch::kFloat; }
  torch::TensorOptions On(torch::ScalarType type) const { return torch::dtype(type).device(device_); }

  void LoadWeights(const DigitCnn& net) {
    classes_ = net.num_classes;
    channels1_ = PaddedChannels(net.conv1_channels);
    channels2_ = PaddedChannels(net.conv2_channels);
    hidden_ = PaddedChannels(net.hidden);  // cuBLAS wants rows of whole 16 bytes
    const auto to_device = [this](const torch::Tensor& tensor, torch::ScalarType type) {
      return tensor.contiguous().to(device_, type);
    };
    const torch::Tensor conv1 = HostTensor(net.conv1_weight, {net.conv1_channels, 9});
    conv1_weight_ = to_device(PadTo(conv1, 0, channels1_).t(), torch::kFloat);
    conv1_bias_ = to_device(PadTo(HostTensor(net.conv1_bias, {net.conv1_channels}), 0, channels1_), torch::kFloat);
    const torch::Tensor conv2 = HostTensor(net.conv2_weight, {net.conv2_channels, net.conv1_channels, 3, 3});
    conv2_weight_ = to_device(PadTo(PadTo(conv2, 1, channels1_), 0, channels2_), Real())
                        .contiguous(torch::MemoryFormat::ChannelsLast);
    conv2_bias_ = to_device(PadTo(HostTensor(net.conv2_bias, {net.conv2_channels}), 0, channels2_), torch::kFloat);
    // From [hidden][channel][position], as PyTorch flattens, to [position and channel][hidden].
    const torch::Tensor fc1 = HostTensor(net.fc1_weight, {net.hidden, net.conv2_channels, kPool2Pixels});
    fc1_weight_ = to_device(
        PadTo(PadTo(fc1, 1, channels2_), 0, hidden_).permute({2, 1, 0}).reshape({kPool2Pixels * channels2_, hidden_}),
        Real());
    fc1_bias_ = to_device(PadTo(HostTensor(net.fc1_bias, {net.hidden}), 0, hidden_), Real());
    const torch::Tensor fc2 = HostTensor(net.fc2_weight, {classes_, net.hidden});
    fc2_weight_ = to_device(PadTo(fc2, 1, hidden_).t(), torch::kFloat);
    fc2_bias_ = to_device(HostTensor(net.fc2_bias, {classes_}), torch::kFloat);
  }

  void MakeBuffers() {
    const auto pinned = torch::TensorOptions().pinned_memory(true);
    staging_ = torch::zeros({kMaxCudaBatch, kImagePixels}, pinned.dtype(torch::kByte));
    scores_ = torch::zeros({kMaxCudaBatch, classes_}, pinned.dtype(torch::kFloat));
    pixels_ = torch::zeros({kMaxCudaBatch, kImagePixels}, On(torch::kByte));
    pooled1_ = torch::zeros({kMaxCudaBatch, kPool1Side, kPool1Side, channels1_}, On(Real()));
    pooled2_ = torch::zeros({kMaxCudaBatch, kPool2Pixels * channels2_}, On(Real()));
    logits_ = torch::zeros({kMaxCudaBatch, classes_}, On(torch::kFloat));
    C10_CUDA_CHECK(
        cudaEventCreateWithFlags(&done_, cudaEventDisableTiming));  // its waiters spin: they are sooner there
  }

  CudaGraphPointer Capture(int images) {
    const std::lock_guard<std::mutex> lock(GraphsMutex());  // the warm-ups use those lists, too
    // cuDNN and cuBLAS choose algorithms and take their memory when they first see a size.
    constexpr int kWarmUps = 3;  // as PyTorch's documentation of graphs does
    for (int i = 0; i < kWarmUps; ++i) Enqueue(images);
    C10_CUDA_CHECK(cudaStreamSynchronize(stream_.stream()));
    // cuBLAS is to take its workspace from the graph's pool, and leave it there: the one that LibTorch has for this
    // stream is freed when another engine is made.
    ForgetCublasWorkspaces();
    // One pool of memory for all: they run one after the other, and none reads what another has left.
    const GraphMemory memory = graphs_.empty() ? GraphMemory{0, 0} : graphs_.front()->pool();
    CudaGraphPointer graph = CaptureGraph(memory, [this, images] { Enqueue(images); });
    ForgetCublasWorkspaces();
    return graph;
  }

  // One whole pass over the buffers, on stream_.
  void Enqueue(int images) { precision_ == Precision::kHalf ? EnqueueAs<__half>(images) : EnqueueAs<float>(images); }
  template <typename T>
  void EnqueueAs(int images) {
    const cudaStream_t stream = stream_.stream();
    const auto pointer = [](const torch::Tensor& tensor) { return static_cast<T*>(tensor.data_ptr()); };
    C10_CUDA_CHECK(cudaMemcpyAsync(pixels_.data_ptr(), staging_.data_ptr(), static_cast<size_t>(images) * kImagePixels,
                                   cudaMemcpyHostToDevice, stream));
    LaunchConv1PoolRelu(pixels_.data_ptr<uint8_t>(), conv1_weight_.data_ptr<float>(), conv1_bias_.data_ptr<float>(),
                        images, channels1_, pointer(pooled1_), stream);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    const torch::Tensor sums = torch::conv2d(pooled1_.narrow(0, 0, images).permute({0, 3, 1, 2}), conv2_weight_)
                                   .contiguous(torch::MemoryFormat::ChannelsLast);
    LaunchBiasPoolRelu(pointer(sums), conv2_bias_.data_ptr<float>(), images, channels2_, pointer(pooled2_), stream);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    const torch::Tensor hidden = at::_addmm_activation(fc1_bias_, pooled2_.narrow(0, 0, images), fc1_weight_,
                                                       /*beta=*/1, /*alpha=*/1, /*use_gelu=*/false);
    LaunchFc2(pointer(hidden), fc2_weight_.data_ptr<float>(), fc2_bias_.data_ptr<float>(), images, hidden_, classes_,
              logits_.data_ptr<float>(), stream);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    C10_CUDA_CHECK(cudaMemcpyAsync(scores_.data_ptr(), logits_.data_ptr(),
                                   static_cast<size_t>(images) * classes_ * sizeof(float), cudaMemcpyDeviceToHost,
                                   stream));
  }

  // May throw.
  void InferBatch(absl::Span<const uint8_t> pixels, absl::Span<float> scores) {
    if (pixels.data() != staging_.data_ptr<uint8_t>()) {
      std::memcpy(staging_.data_ptr<uint8_t>(), pixels.data(), pixels.size());
    }
    const c10::cuda::CUDAStreamGuard on_stream(stream_);
    const CudaGraph& graph = *graphs_[GraphOf(static_cast<int64_t>(pixels.size() / kImagePixels))];
    C10_CUDA_CHECK(cudaGraphLaunch(graph.executable(), stream_.stream()));
    C10_CUDA_CHECK(cudaEventRecord(done_, stream_.stream()));
    C10_CUDA_CHECK(cudaEventSynchronize(done_));
    std::memcpy(scores.data(), scores_.data_ptr<float>(), scores.size() * sizeof(float));
  }

  const Precision precision_;
  const torch::Device device_;
  const OwnStream own_stream_;  // goes last: until then memory is freed on it
  const c10::cuda::CUDAStream stream_;
  int classes_ = 0, channels1_ = 0, channels2_ = 0, hidden_ = 0;  // all but classes_ padded
  torch::Tensor conv1_weight_, conv1_bias_, conv2_weight_, conv2_bias_;
  torch::Tensor fc1_weight_, fc1_bias_, fc2_weight_, fc2_bias_;
  torch::Tensor staging_, scores_;  // pinned, on the host
  torch::Tensor pixels_, pooled1_, pooled2_, logits_;
  cudaEvent_t done_ = nullptr;
  std::vector<CudaGraphPointer> graphs_;  // of 1, 2, 4, ... kMaxCudaBatch images
};

}  // namespace

absl::StatusOr<std::unique_ptr<InferenceEngine>> CreateCudaEngine(const Model& model, int index, Precision precision) {
  std::unique_ptr<CudaEngine> engine;
  const absl::Status status = Guarded(absl::StatusCode::kInternal, "load the model", [&] {
    engine = std::make_unique<CudaEngine>(index, precision);
    return engine->Load(model);
  });
  if (!status.ok()) return status;
  return engine;
}

}  // namespace digit
