#include "model/engine/cpu_engine.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "model/engine/conv1_kernel.h"
#include "model/engine/sparse_kernels.h"
#include "model/engine/winograd.h"

namespace digit {
namespace {

constexpr int kGroup = 24;  // images whose dense layers run together: features of 154 KB, for the tutorial's widths

// Whether fc1 costs less row by row with zeros skipped than for all rows together. Measured with the tutorial's widths:
// a share of 0.3 takes the same time both ways; a single row is bound by reading the weights, so that any zero pays.
bool WorthSkipping(int images, int non_zeros, int features) {
  return images == 1 || non_zeros < 0.3 * images * features;
}

}  // namespace

absl::StatusOr<std::unique_ptr<InferenceEngine>> CpuEngine::Create(const Model& model) {
  ASSIGN_OR_RETURN(const DigitCnn net, FindDigitCnn(model.file.tensors));
  return std::unique_ptr<InferenceEngine>(new CpuEngine(net));
}

CpuEngine::CpuEngine(const DigitCnn& net)
    : num_classes_(net.num_classes),
      net_(net),
      map_(size_t{kMapSide} * kMapSide * net_.conv1_channels),
      points_(kWinogradPoints * PointStride(net_.conv1_channels)),
      products_(kWinogradPoints * PointStride(net_.conv2_channels)),
      features_(size_t{kGroup} * net_.features),
      hidden_(size_t{kGroup} * net_.hidden),
      outputs_(size_t{kGroup} * net_.outputs) {}

void CpuEngine::ComputeFeatures(const uint8_t* pixels, float* features) {
  Conv1(pixels, net_.conv1_weights.data(), net_.conv1_bias.data(), net_.conv1_channels, map_.data());
  TransformInput(map_.data(), net_.conv1_channels, points_.data());
  MultiplyTiles(kWinogradPoints, net_.conv2(), points_.data(), PointStride(net_.conv1_channels), products_.data(),
                PointStride(net_.conv2_channels));
  TransformOutputAndPool(products_.data(), net_.conv2_bias.data(), net_.conv2_channels, features);
}

void CpuEngine::ComputeHidden(int images) {
  const int non_zeros = CountNonZero(features_.data(), images * net_.features);
  if (!WorthSkipping(images, non_zeros, net_.features)) {
    MultiplyAddBias(images, net_.fc1(), net_.fc1_bias.data(), Activation::kRelu, features_.data(), hidden_.data());
    return;
  }
  for (int i = 0; i < images; ++i) {
    MultiplySparseRow(net_.fc1(), net_.fc1_bias.data(), Activation::kRelu, features_.data() + i * net_.features,
                      hidden_.data() + i * net_.hidden);
  }
}

absl::Status CpuEngine::Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) {
  const int images = static_cast<int>(pixels.size() / kImagePixels);
  DIGIT_CHECK(images >= 1 && pixels.size() == static_cast<size_t>(images) * kImagePixels);
  DIGIT_CHECK(scores.size() == static_cast<size_t>(images) * num_classes_);
  for (int begin = 0; begin < images; begin += kGroup) {
    const int group = std::min(kGroup, images - begin);
    for (int i = 0; i < group; ++i) {
      ComputeFeatures(&pixels[static_cast<size_t>(begin + i) * kImagePixels], features_.data() + i * net_.features);
    }
    ComputeHidden(group);
    MultiplyAddBias(group, net_.fc2(), net_.fc2_bias.data(), Activation::kNone, hidden_.data(), outputs_.data());
    for (int i = 0; i < group; ++i) {
      std::copy_n(outputs_.data() + i * net_.outputs, num_classes_, &scores[size_t{1} * (begin + i) * num_classes_]);
    }
  }
  return absl::OkStatus();
}

}  // namespace digit
