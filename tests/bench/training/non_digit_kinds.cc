// How the verdict NOT_A_DIGIT generalises: trains on MNIST without some kinds of non-digits, says which part of each
// kind gets which verdict, of the kinds left out and of Fashion-MNIST's test pictures too.
//
//   build/release/bin/non_digit_kinds MNIST_DIR [FASHION_MNIST_DIR] [--epochs 5] [--seed 1] [--left-out noise,grid]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/threads.h"
#include "model/dataset/idx.h"
#include "model/dataset/non_digits.h"
#include "model/spec/interpretation.h"
#include "model/training/calibration.h"
#include "model/training/evaluation.h"
#include "model/training/trainer.h"

namespace digit {
namespace {

constexpr int kValidation = 5000, kPool = 20'000, kOfEachKind = 1000;

std::vector<uint8_t> Draw(const NonDigitKind& kind, uint64_t seed, int count) {
  Random random(seed);
  std::vector<uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    const FramedPixels picture = kind.draw(random);
    pixels.insert(pixels.end(), picture.begin(), picture.end());
  }
  return pixels;
}

void Print(const std::string& name, const ModelSpec& spec, const std::vector<float>& logits) {
  int counts[4] = {};
  for (size_t i = 0; i < logits.size(); i += kDigitCnnClasses) {
    ++counts[static_cast<int>(Interpret(spec, absl::MakeConstSpan(&logits[i], kDigitCnnClasses)).verdict)];
  }
  const double percent = 100.0 * kDigitCnnClasses / static_cast<double>(logits.size());
  std::printf("%-28s %6.2f %% confident, %6.2f %% unsure, %6.2f %% not a digit\n", name.c_str(), percent * counts[1],
              percent * counts[2], percent * counts[3]);
}

int Main(int argc, char** argv) {
  CLI::App app;
  std::string mnist, fashion;
  std::vector<std::string> left_out;
  Recipe recipe;
  app.add_option("MNIST_DIR", mnist)->required();
  app.add_option("FASHION_MNIST_DIR", fashion);
  app.add_option("--epochs", recipe.epochs);
  app.add_option("--seed", recipe.seed);
  app.add_option("--left-out", left_out)->delimiter(',');
  app.add_option("--non-digits", recipe.non_digits);
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<LabeledImages> all = ReadIdxFolder(mnist, Split::kTrain);
  if (!all.ok()) return std::fprintf(stderr, "%s\n", all.status().ToString().c_str()), 1;
  const TrainValidation data = SplitOffValidation(*all, kValidation);
  const int threads = UsableCores();

  std::vector<uint8_t> pool, fitted;
  for (const NonDigitKind& kind : NonDigitKinds()) {
    if (std::count(left_out.begin(), left_out.end(), kind.name) > 0) continue;
    for (auto [seed, count, to] : {std::tuple(uint64_t{1}, kPool / 10, &pool), std::tuple(uint64_t{2}, 200, &fitted)}) {
      const std::vector<uint8_t> drawn = Draw(kind, seed, count);
      to->insert(to->end(), drawn.begin(), drawn.end());
    }
  }
  TrainingState state = InitialState(recipe.seed);
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) {
    RunEpoch(
        recipe, data.train, pool, threads, [](int64_t) { return true; }, &state);
  }
  const auto logits = [&](absl::Span<const uint8_t> pixels) { return ComputeLogits(state.average, pixels, threads); };
  const std::vector<float> validation = logits(data.validation.pixels);
  ModelSpec spec = DefaultSpec(kDigitCnnClasses);
  spec.output = OutputKind::kLogits;
  spec.temperature = FitTemperature(validation, data.validation.labels);
  spec.thresholds = FitThresholds(validation, data.validation.labels, spec.temperature, logits(fitted));
  std::printf("validation accuracy %.2f %%, unsure below %.4f, not a digit below %.4f\n",
              100 * Evaluate(validation, data.validation.labels, 1).accuracy(), spec.thresholds->unsure_below,
              spec.thresholds->not_a_digit_below);
  Print("validation digits", spec, validation);
  for (const NonDigitKind& kind : NonDigitKinds()) {
    const bool is_left_out = std::count(left_out.begin(), left_out.end(), kind.name) > 0;
    Print(absl::StrCat(std::string(kind.name), is_left_out ? " (left out)" : ""), spec,
          logits(Draw(kind, 3, kOfEachKind)));
  }
  if (!fashion.empty()) {
    const absl::StatusOr<LabeledImages> clothes = ReadIdxFolder(fashion, Split::kTest);
    if (!clothes.ok()) return std::fprintf(stderr, "%s\n", clothes.status().ToString().c_str()), 1;
    Print("Fashion-MNIST (left out)", spec, logits(clothes->pixels));
  }
  return 0;
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) { return digit::Main(argc, argv); }
