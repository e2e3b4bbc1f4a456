// Images a second of one engine on one core, without queue or RPC. Run on a quiet machine, pinned:
//   taskset -c 1 build/release/bin/engine_benchmark [MODEL.pt [MNIST]]
// MNIST is a folder with the test set as IDX files. Without it the pictures are noise, on which the CPU engine can skip
// little; without MODEL.pt the weights are random. tests/bench/engines runs it in turns with ONNX Runtime.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "model/dataset/idx.h"
#include "model/engine/engine_factory.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

constexpr int kPictures = 1024;  // a batch is never the one before
constexpr int kMaxBatch = 128;

Model model;
std::vector<uint8_t> pictures;

std::unique_ptr<InferenceEngine> CreateEngine(EngineChoice choice, benchmark::State& state) {
  auto engine = MakeEngineFactory({.engine = choice, .torch_module_path = ""})->Create(model, Device{});
  if (engine.ok()) return *std::move(engine);
  state.SkipWithError(std::string(engine.status().message()).c_str());
  return nullptr;
}

void BM_Infer(benchmark::State& state, EngineChoice choice) {
  const size_t batch = state.range(0);
  const std::unique_ptr<InferenceEngine> engine = CreateEngine(choice, state);
  if (engine == nullptr) return;
  std::vector<float> scores(batch * engine->num_classes());
  size_t next = 0;
  for (auto _ : state) {
    const absl::Span<const uint8_t> pixels(&pictures[next * kImagePixels], batch * kImagePixels);
    if (!engine->Infer(pixels, absl::MakeSpan(scores)).ok()) return state.SkipWithError("Infer failed");
    benchmark::DoNotOptimize(scores.data());
    next = next + 2 * batch <= kPictures ? next + batch : 0;
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * batch));
}
BENCHMARK_CAPTURE(BM_Infer, cpu, EngineChoice::kCpu)->Arg(1)->Arg(8)->Arg(32)->Arg(kMaxBatch);
BENCHMARK_CAPTURE(BM_Infer, torch, EngineChoice::kTorch)->Arg(1)->Arg(8)->Arg(32)->Arg(kMaxBatch);

void BM_CreateCpuEngine(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(CreateEngine(EngineChoice::kCpu, state));
}
BENCHMARK(BM_CreateCpuEngine)->Unit(benchmark::kMillisecond);

absl::Status Prepare(int argc, char** argv) {
  model = RandomModel(1);
  pictures = RandomImages(1, kPictures);
  if (argc > 1) {
    absl::StatusOr<Model> loaded = LoadModel(argv[1]);
    if (!loaded.ok()) return loaded.status();
    model = *std::move(loaded);
  }
  if (argc > 2) {
    const absl::StatusOr<LabeledImages> test = ReadIdxFolder(argv[2], Split::kTest);
    if (!test.ok()) return test.status();
    for (size_t i = 0; i < pictures.size(); ++i) pictures[i] = test->pixels[i % test->pixels.size()];
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) {
  // As digitd's main does, before LibTorch is loaded: one thread.
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  benchmark::Initialize(&argc, argv);
  const absl::Status status = digit::Prepare(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
