// Models with seeded random weights, for tests and benchmarks of engines.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/engine/digit_cnn.h"
#include "model/engine/model.h"

namespace digit {

struct Widths {
  int conv1 = 32, conv2 = 64, hidden = 128, classes = 10;  // the tutorial's
};

inline NamedTensor RandomTensor(std::string name, std::vector<int64_t> shape, float scale, std::mt19937& random) {
  NamedTensor tensor{std::move(name), std::move(shape), {}};
  int64_t count = 1;
  for (int64_t dimension : tensor.shape) count *= dimension;
  // Not std::uniform_real_distribution, whose values differ between standard libraries.
  for (int64_t i = 0; i < count; ++i)
    tensor.values.push_back(scale * (static_cast<int>(random() % 2001) - 1000) / 1000);
  return tensor;
}

// Weights of the size that PyTorch starts with, so that the logits are of a usual size.
inline Model RandomModel(uint32_t seed, Widths w = {}) {
  std::mt19937 random(seed);
  Model model;
  model.path = "random.pt";
  model.file.kind = ModelFile::Kind::kStateDict;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, int inputs) {
    const float scale = 2 / std::sqrt(static_cast<float>(inputs));
    const int64_t outputs = shape[0];
    model.file.tensors.push_back(RandomTensor(name + ".weight", std::move(shape), scale, random));
    model.file.tensors.push_back(RandomTensor(name + ".bias", {outputs}, scale, random));
  };
  add("conv1", {w.conv1, 1, 3, 3}, 9);
  add("conv2", {w.conv2, w.conv1, 3, 3}, 9 * w.conv1);
  add("fc1", {w.hidden, w.conv2 * kFeaturePixels}, w.conv2 * kFeaturePixels);
  add("fc2", {w.classes, w.hidden}, w.hidden);
  model.spec = DefaultSpec(w.classes);
  model.spec.architecture = std::string(kDigitCnn);
  model.is_digit_cnn = true;
  return model;
}

// Images that differ in every pixel, ramps and paper included.
inline std::vector<uint8_t> RandomImages(uint32_t seed, int count) {
  std::mt19937 random(seed);
  std::vector<uint8_t> pixels(static_cast<size_t>(count) * kImagePixels);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random() % 3 == 0 ? random() : 0);
  return pixels;
}

}  // namespace digit
