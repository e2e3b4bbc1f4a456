// Images a second through daemon/pool and daemon/batching in process, without RPC: one executor against two.
//   build/release/bin/pool_benchmark MODEL.pt MNIST
// MNIST is a folder with the test set as IDX files. Tasks are batches of 32 images, as one packed message makes; enough
// of them wait at any time that no executor is ever idle.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <semaphore>

#include "base/threads.h"
#include "daemon/pool/pool.h"
#include "model/dataset/idx.h"
#include "model/engine/engine_factory.h"

namespace digit {
namespace {

constexpr int kBatch = 32;
constexpr int kUnanswered = 8;  // tasks; four for each executor

const char* model_path = nullptr;
LabeledImages test_set;

// What the tasks of a run share.
struct Run {
  std::counting_semaphore<> free{kUnanswered};
  std::atomic<int64_t> failed{0};
};

class MemoryTask final : public InferenceTask {
 public:
  MemoryTask(const uint8_t* pixels, Run* run)
      : InferenceTask(kBatch, SteadyTime::InfiniteFuture()), pixels_(pixels), run_(*run) {}
  bool cancelled() const override { return false; }
  void PackPixels(uint8_t* destination) const override { std::memcpy(destination, pixels_, kBatch * kImagePixels); }
  void Complete(absl::Span<const float> scores, const BatchReport&) override {
    benchmark::DoNotOptimize(scores.data());
    run_.free.release();
  }
  void Fail(const absl::Status&) override {
    ++run_.failed;
    run_.free.release();
  }

 private:
  const uint8_t* const pixels_;
  Run& run_;
};

void BM_Pool(benchmark::State& state) {
  const std::unique_ptr<EngineFactory> engines = MakeEngineFactory({.engine = EngineChoice::kCpu});
  auto pool =
      Pool::Create({.replicas = static_cast<int>(state.range(0)), .max_batch_size = kBatch, .engines = engines.get()});
  absl::StatusOr<Model> model = LoadModel(model_path);
  if (!pool.ok() || !model.ok()) return state.SkipWithError("no pool or no model");
  auto placed = (*pool)->Place("mnist", std::make_shared<Model>(*std::move(model)));
  if (!placed.ok()) return state.SkipWithError(std::string(placed.status().message()).c_str());
  Run run;
  int next = 0;
  for (auto _ : state) {
    run.free.acquire();
    std::unique_ptr<Task> task = std::make_unique<MemoryTask>(test_set.image(next).data(), &run);
    if (!(*placed)->Submit(absl::MakeSpan(&task, 1)).ok()) ++run.failed, run.free.release();
    next = next + 2 * kBatch <= test_set.size() ? next + kBatch : 0;
  }
  for (int i = 0; i < kUnanswered; ++i) run.free.acquire();
  if (run.failed > 0) state.SkipWithError("tasks failed");
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * kBatch);
}
BENCHMARK(BM_Pool)->Arg(1)->Arg(2)->ArgName("executors")->UseRealTime();

}  // namespace
}  // namespace digit

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 3) return std::fprintf(stderr, "usage: pool_benchmark MODEL.pt MNIST\n"), 2;
  digit::model_path = argv[1];
  absl::StatusOr<digit::LabeledImages> images = digit::ReadIdxFolder(argv[2], digit::Split::kTest);
  if (!images.ok() || images->size() < digit::kBatch) return std::fprintf(stderr, "%s: no test set\n", argv[2]), 1;
  digit::test_set = *std::move(images);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
