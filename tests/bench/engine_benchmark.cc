// Images a second of one engine on one core, without queue or RPC. Run on a quiet machine, pinned:
//   taskset -c 0 build/release/bin/engine_benchmark
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "model/engine/engine_factory.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

void BM_Infer(benchmark::State& state, EngineChoice choice) {
  const int batch = static_cast<int>(state.range(0));
  const Model model = RandomModel(1);
  const absl::StatusOr<std::unique_ptr<InferenceEngine>> engine =
      MakeEngineFactory({.engine = choice, .torch_module_path = ""})->Create(model, Device{});
  if (!engine.ok()) return state.SkipWithError(std::string(engine.status().message()).c_str());
  const std::vector<uint8_t> pixels = RandomImages(1, batch);
  std::vector<float> scores(batch * 10);
  for (auto _ : state) {
    if (!(*engine)->Infer(pixels, absl::MakeSpan(scores)).ok()) return state.SkipWithError("Infer failed");
    benchmark::DoNotOptimize(scores.data());
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK_CAPTURE(BM_Infer, cpu, EngineChoice::kCpu)->Arg(1)->Arg(8)->Arg(32);
BENCHMARK_CAPTURE(BM_Infer, torch, EngineChoice::kTorch)->Arg(1)->Arg(8)->Arg(32);

void BM_CreateCpuEngine(benchmark::State& state) {
  const Model model = RandomModel(1);
  const std::unique_ptr<EngineFactory> factory = MakeEngineFactory({.torch_module_path = ""});
  for (auto _ : state) benchmark::DoNotOptimize(factory->Create(model, Device{}).ok());
}
BENCHMARK(BM_CreateCpuEngine)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace digit

int main(int argc, char** argv) {
  // As digitd's main does, before LibTorch is loaded: one thread.
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
