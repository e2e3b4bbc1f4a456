#include "model/training/evaluation.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/threads.h"
#include "model/training/augmentation.h"
#include "model/training/digit_cnn_step.h"

namespace digit {
namespace {

constexpr int kClasses = kDigitCnnClasses;

// Sum over bins of |right - confidence|, each weighted by its share of the images.
class CalibrationBins {
 public:
  void Add(double confidence, bool right) {
    Bin& bin = bins_[std::min(kBins - 1, static_cast<int>(confidence * kBins))];
    bin.confidence += confidence;
    bin.right += right ? 1 : 0;
    ++images_;
  }
  double Error() const {
    double error = 0;
    for (const Bin& bin : bins_) error += std::abs(bin.right - bin.confidence);
    return images_ == 0 ? 0 : error / images_;
  }

 private:
  static constexpr int kBins = 15;
  struct Bin {
    double confidence = 0, right = 0;
  };
  std::array<Bin, kBins> bins_;
  int images_ = 0;
};

}  // namespace

std::vector<float> ComputeLogits(absl::Span<const float> parameters, absl::Span<const uint8_t> pixels, int threads) {
  const int images = static_cast<int>(pixels.size() / kImagePixels);
  std::vector<float> logits(static_cast<size_t>(images) * kClasses);
  PackedWeights packed;
  packed.Pack(parameters, 0, 1);
  const auto work_through = [&](int thread) {
    ShardWorkspace work;
    for (int first = thread * kShardImages; first < images; first += threads * kShardImages) {
      const int count = std::min(kShardImages, images - first);
      for (int i = 0; i < count; ++i) {
        CropInput(pixels.subspan(static_cast<size_t>(first + i) * kImagePixels, kImagePixels),
                  &work.input[i * kInputSize]);
      }
      Forward(parameters, packed, count, &work);
      std::copy_n(work.logits.begin(), count * kClasses, logits.begin() + static_cast<ptrdiff_t>(first) * kClasses);
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.push_back(StartThread(absl::StrCat("evaluate-", i), [&work_through, i] { work_through(i); }));
  }
  work_through(0);
  for (std::thread& thread : others) thread.join();
  return logits;
}

int Evaluation::images_of(int label) const {
  int sum = 0;
  for (int count : confusion[label]) sum += count;
  return sum;
}

int Evaluation::errors_of(int label) const { return images_of(label) - confusion[label][label]; }

Evaluation Evaluate(absl::Span<const float> logits, absl::Span<const uint8_t> labels, double temperature,
                    absl::Span<const int> left_out) {
  Evaluation result;
  CalibrationBins bins;
  for (int i = 0; i < static_cast<int>(labels.size()); ++i) {
    if (std::binary_search(left_out.begin(), left_out.end(), i)) continue;
    const float* row = &logits[static_cast<size_t>(i) * kClasses];
    const int label = labels[i];
    const int answer = static_cast<int>(std::max_element(row, row + kClasses) - row);
    double sum = 0;
    for (int c = 0; c < kClasses; ++c) sum += std::exp((row[c] - row[answer]) / temperature);
    const double confidence = 1 / sum;
    ++result.images;
    ++result.confusion[label][answer];
    result.cross_entropy += std::log(sum) - (row[label] - row[answer]) / temperature;
    bins.Add(confidence, answer == label);
    if (answer == label) {
      ++result.right;
    } else {
      result.mistakes.push_back({i, label, answer, confidence});
    }
  }
  if (result.images > 0) result.cross_entropy /= result.images;
  result.calibration_error = bins.Error();
  std::stable_sort(result.mistakes.begin(), result.mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.confidence > b.confidence; });
  return result;
}

absl::Span<const int> DoubtfulMnistTestLabels() {
  static constexpr int kIndices[] = {947,  1621, 1901, 2130, 2462, 2597, 2654, 3520,
                                     3558, 5937, 6651, 6783, 8527, 9679, 9729};
  return kIndices;
}

}  // namespace digit
