#include "model/engine/cpu_engine.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/status.h"

namespace digit {
namespace {

// Four floats, one register of SSE2 or NEON: what every 64-bit machine has. The compilers' vector extension.
using Lanes = float __attribute__((vector_size(16)));
constexpr int kLanes = 4;
constexpr int kBlock = 2 * kLanes;  // outputs computed together
constexpr int kGroup = 4;           // rows computed together

// The last pooling drops the last row and column, so input rows and columns 26 and 27 are never read: conv1 needs the
// 26x26 crop, and conv2 the 12x12 pooled outputs of that.
constexpr int kCropSide = 26;
constexpr int kMap1Side = (kCropSide - 2) / 2;

inline Lanes Load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
inline void Store(Lanes lanes, float* to) { std::memcpy(to, &lanes, sizeof lanes); }
inline Lanes Max(Lanes a, Lanes b) { return a > b ? a : b; }

int RoundUp(int n) { return (n + kBlock - 1) / kBlock * kBlock; }

// `weight_at(output, input)` is asked for real outputs only.
template <typename WeightAt>
CpuEngine::Layer Pack(int inputs, absl::Span<const float> bias, WeightAt weight_at) {
  const int outputs = static_cast<int>(bias.size());
  CpuEngine::Layer layer;
  layer.inputs = inputs;
  layer.outputs = RoundUp(outputs);
  layer.weights.resize(static_cast<size_t>(layer.outputs) * inputs);
  layer.bias.resize(layer.outputs);
  std::copy(bias.begin(), bias.end(), layer.bias.begin());
  for (int o = 0; o < outputs; ++o) {
    float* block = layer.weights.data() + static_cast<size_t>(o / kBlock) * inputs * kBlock;
    for (int i = 0; i < inputs; ++i) block[i * kBlock + o % kBlock] = weight_at(o, i);
  }
  return layer;
}

// Inputs in the order kernel row, kernel column, channel; `padded` channels come in, of which `channels` are real.
CpuEngine::Layer PackConv(absl::Span<const float> weight, absl::Span<const float> bias, int channels, int padded) {
  return Pack(9 * padded, bias, [=](int o, int i) {
    const int tap = i / padded, channel = i % padded;
    return channel < channels ? weight[(static_cast<size_t>(o) * channels + channel) * 9 + tap] : 0.0f;
  });
}

// PyTorch flattens [channel][pixel]; our features lie as [pixel][padded channel]. With one pixel: a plain dense layer.
CpuEngine::Layer PackDense(absl::Span<const float> weight, absl::Span<const float> bias, int channels, int pixels) {
  const int padded = RoundUp(channels);
  return Pack(pixels * padded, bias, [=](int o, int i) {
    const int pixel = i / padded, channel = i % padded;
    return channel < channels ? weight[(static_cast<size_t>(o) * channels + channel) * pixels + pixel] : 0.0f;
  });
}

// sums[r] += sum over i of rows[r][i] * (the eight weights of input i). Inlined, so that the sums stay in registers.
template <int kRows>
[[gnu::always_inline]] inline void MultiplyAdd(const float* const (&rows)[kRows], int length, const float* weights,
                                               Lanes (&sums)[kRows][2]) {
  for (int i = 0; i < length; ++i, weights += kBlock) {
    const Lanes low = Load(weights), high = Load(weights + kLanes);
    for (int r = 0; r < kRows; ++r) {
      sums[r][0] += rows[r][i] * low;
      sums[r][1] += rows[r][i] * high;
    }
  }
}

// 3x3 convolution of a picture [side][side][channels], 2x2 maximum, bias, relu (in this order the result is the same
// and the work a quarter).
void ConvPoolRelu(const CpuEngine::Layer& layer, const float* in, int side, float* out) {
  const int channels = layer.inputs / 9, pitch = side * channels, out_side = (side - 2) / 2;
  for (int block = 0; block < layer.outputs; block += kBlock) {
    const float* weights = layer.weights.data() + static_cast<size_t>(block) * layer.inputs;
    const Lanes bias[2] = {Load(&layer.bias[block]), Load(&layer.bias[block] + kLanes)};
    for (int y = 0; y < out_side; ++y) {
      for (int x = 0; x < out_side; ++x) {
        const float* corner = in + 2 * y * pitch + 2 * x * channels;
        Lanes sums[kGroup][2] = {};
        for (int k = 0; k < 3; ++k) {  // one row of the kernel: three pixels, side by side in memory
          const float* row = corner + k * pitch;
          const float* const rows[kGroup] = {row, row + channels, row + pitch, row + pitch + channels};
          MultiplyAdd<kGroup>(rows, 3 * channels, weights + k * 3 * channels * kBlock, sums);
        }
        float* to = out + static_cast<size_t>(y * out_side + x) * layer.outputs + block;
        for (int half = 0; half < 2; ++half) {
          const Lanes pooled = Max(Max(sums[0][half], sums[1][half]), Max(sums[2][half], sums[3][half]));
          Store(Max(pooled + bias[half], Lanes{}), to + half * kLanes);
        }
      }
    }
  }
}

// kRows rows [inputs] -> kRows rows [outputs].
template <int kRows>
void Dense(const CpuEngine::Layer& layer, const float* in, bool relu, float* out) {
  const float* rows[kRows];
  for (int r = 0; r < kRows; ++r) rows[r] = in + r * layer.inputs;
  for (int block = 0; block < layer.outputs; block += kBlock) {
    Lanes sums[kRows][2] = {};
    MultiplyAdd<kRows>(rows, layer.inputs, layer.weights.data() + static_cast<size_t>(block) * layer.inputs, sums);
    for (int r = 0; r < kRows; ++r) {
      for (int half = 0; half < 2; ++half) {
        const int o = block + half * kLanes;
        const Lanes sum = sums[r][half] + Load(&layer.bias[o]);
        Store(relu ? Max(sum, Lanes{}) : sum, out + r * layer.outputs + o);
      }
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<InferenceEngine>> CpuEngine::Create(const Model& model) {
  ASSIGN_OR_RETURN(const DigitCnn net, FindDigitCnn(model.file.tensors));
  return std::unique_ptr<InferenceEngine>(new CpuEngine(net));
}

CpuEngine::CpuEngine(const DigitCnn& net)
    : num_classes_(net.num_classes),
      conv1_(PackConv(net.conv1_weight, net.conv1_bias, 1, 1)),
      conv2_(PackConv(net.conv2_weight, net.conv2_bias, net.conv1_channels, conv1_.outputs)),
      fc1_(PackDense(net.fc1_weight, net.fc1_bias, net.conv2_channels, kFeaturePixels)),
      fc2_(PackDense(net.fc2_weight, net.fc2_bias, net.hidden, 1)),
      crop_(kCropSide * kCropSide),
      map1_(kMap1Side * kMap1Side * conv1_.outputs),
      features_(kGroup * fc1_.inputs),
      hidden_(kGroup * fc2_.inputs),
      outputs_(kGroup * fc2_.outputs) {}

void CpuEngine::ComputeFeatures(const uint8_t* pixels, float* features) {
  for (int y = 0; y < kCropSide; ++y) {
    for (int x = 0; x < kCropSide; ++x) crop_[y * kCropSide + x] = pixels[y * kImageSide + x] / 255.0f;
  }
  ConvPoolRelu(conv1_, crop_.data(), kCropSide, map1_.data());
  ConvPoolRelu(conv2_, map1_.data(), kMap1Side, features);
}

template <int kRows>
void CpuEngine::ComputeScores(float* scores) {
  Dense<kRows>(fc1_, features_.data(), /*relu=*/true, hidden_.data());
  Dense<kRows>(fc2_, hidden_.data(), /*relu=*/false, outputs_.data());
  for (int r = 0; r < kRows; ++r) {
    std::copy_n(outputs_.data() + r * fc2_.outputs, num_classes_, scores + r * num_classes_);
  }
}

absl::Status CpuEngine::Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) {
  const int images = static_cast<int>(pixels.size() / kImagePixels);
  DIGIT_CHECK(images >= 1 && pixels.size() == static_cast<size_t>(images) * kImagePixels);
  DIGIT_CHECK(scores.size() == static_cast<size_t>(images) * num_classes_);
  for (int begin = 0; begin < images;) {
    const int rows = images - begin >= kGroup ? kGroup : 1;
    for (int r = 0; r < rows; ++r) {
      ComputeFeatures(&pixels[static_cast<size_t>(begin + r) * kImagePixels], &features_[r * fc1_.inputs]);
    }
    float* to = &scores[static_cast<size_t>(begin) * num_classes_];
    rows == kGroup ? ComputeScores<kGroup>(to) : ComputeScores<1>(to);
    begin += rows;
  }
  return absl::OkStatus();
}

}  // namespace digit
