// Measures a GPU: our engines against plain LibTorch over batch sizes, latency, and a pool fed by many threads.
//   gpu_benchmark MODEL.pt [--rounds N] [--seconds S]
//   gpu_benchmark MODEL.pt --kernels      one batch of some sizes, for a profiler that starts when told to
// Everything takes turns in one run, all pictures are generated digits, host to host: bytes in, scores out. Prints
// tables of medians over the rounds in Markdown.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "base/clock.h"
#include "daemon/pool/device_list.h"
#include "daemon/pool/pool.h"
#include "model/dataset/digit_generator.h"
#include "model/engine/engine_factory.h"
#include "tests/gpu/eager_network.h"
#include "tests/gpu/task_of_pixels.h"

// Of CUDA's runtime; its header for them is a package of its own, which may be missing.
extern "C" cudaError_t cudaProfilerStart();
extern "C" cudaError_t cudaProfilerStop();

namespace digit {
namespace {

constexpr Device kGpu{Device::Kind::kCuda, 0};
constexpr int kPictures = 8192;  // 6 MB: not the same few again and again

using Infer = std::function<void(absl::Span<const uint8_t>, absl::Span<float>)>;

struct Way {
  std::string name;
  std::vector<Infer> threads;  // each is called by a thread of its own
};

double Seconds(SteadyTime since) { return absl::ToDoubleSeconds(SteadyClock()->Now() - since); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

// Images a second of all threads together.
double Throughput(const Way& way, const LabeledImages& digits, int batch, double seconds) {
  std::vector<std::thread> threads;
  std::atomic<int64_t> images = 0;
  const SteadyTime start = SteadyClock()->Now();
  for (size_t t = 0; t < way.threads.size(); ++t) {
    threads.emplace_back([&, t] {
      std::vector<float> scores(static_cast<size_t>(batch) * 10);
      int64_t done = 0;
      for (size_t at = t * 997; Seconds(start) < seconds; at += batch) {
        const size_t first = at % (kPictures - batch + 1);
        way.threads[t](absl::MakeConstSpan(digits.pixels).subspan(first * kImagePixels, size_t{kImagePixels} * batch),
                       absl::MakeSpan(scores));
        done += batch;
      }
      images += done;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(images) / Seconds(start);
}

std::vector<double> Microseconds(const Infer& infer, const LabeledImages& digits, int batch, int calls) {
  std::vector<float> scores(static_cast<size_t>(batch) * 10);
  std::vector<double> took;
  for (int i = -calls / 10; i < calls; ++i) {
    const size_t first = static_cast<size_t>(i + calls) * batch % (kPictures - batch + 1);
    const SteadyTime start = SteadyClock()->Now();
    infer(absl::MakeConstSpan(digits.pixels).subspan(first * kImagePixels, size_t{kImagePixels} * batch),
          absl::MakeSpan(scores));
    if (i >= 0) took.push_back(Seconds(start) * 1e6);
  }
  return took;
}

// 16 threads that each keep some tasks unanswered.
double PoolThroughput(PlacedModel* placed, const LabeledImages& digits, int images_per_task, double seconds) {
  constexpr int kThreads = 16;
  const int unanswered = std::max(1, 3072 / kThreads / images_per_task);  // below the queue's limit, 4,096 images
  std::vector<std::thread> threads;
  std::atomic<int64_t> images = 0, failed = 0;
  const SteadyTime start = SteadyClock()->Now();
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::counting_semaphore<> free(unanswered);
      for (size_t at = static_cast<size_t>(t) * 499; Seconds(start) < seconds; at += images_per_task) {
        free.acquire();
        const size_t first = at % (kPictures - images_per_task + 1);
        std::unique_ptr<Task> task = std::make_unique<TaskOfPixels>(
            absl::MakeConstSpan(digits.pixels).subspan(first * kImagePixels, size_t{kImagePixels} * images_per_task),
            [&](const absl::Status& status, absl::Span<const float>, const BatchReport&) {
              (status.ok() ? images : failed) += images_per_task;
              free.release();
            });
        if (!placed->Submit(absl::MakeSpan(&task, 1)).ok()) {
          failed += images_per_task;
          free.release();
        }
      }
      for (int i = 0; i < unanswered; ++i) free.acquire();
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failed > 0) std::printf("(%lld images were refused)\n", static_cast<long long>(failed));
  return static_cast<double>(images) / Seconds(start);
}

Infer Ours(InferenceEngine* engine) {
  return [engine](absl::Span<const uint8_t> pixels, absl::Span<float> scores) {
    const absl::Status status = engine->Infer(pixels, scores);
    if (!status.ok()) throw std::runtime_error(std::string(status.message()));
  };
}

Infer Eager(EagerNetwork* network) {
  return [network](absl::Span<const uint8_t> pixels, absl::Span<float> scores) { network->Infer(pixels, scores); };
}

int RunKernels(const std::string& path) {
  const absl::StatusOr<Model> model = LoadModel(path);
  if (!model.ok()) return std::fprintf(stderr, "%s\n", std::string(model.status().message()).c_str()), 1;
  const LabeledImages digits = DigitGenerator(/*seed=*/1).DrawMany(kPictures);
  auto engine = MakeEngineFactory({})->Create(*model, kGpu, Precision::kHalf);
  if (!engine.ok()) return std::fprintf(stderr, "%s\n", std::string(engine.status().message()).c_str()), 1;
  for (const bool profiled : {false, true}) {
    if (profiled) cudaProfilerStart();
    for (const int batch : {1, 64, 256, 1024}) static_cast<void>(Microseconds(Ours(engine->get()), digits, batch, 1));
  }
  cudaProfilerStop();
  return 0;
}

int Run(const std::string& path, int rounds, double seconds) {
  absl::StatusOr<Model> model = LoadModel(path);
  if (!model.ok()) return std::fprintf(stderr, "%s\n", std::string(model.status().message()).c_str()), 1;
  const absl::StatusOr<DigitCnn> net = FindDigitCnn(model->file.tensors);
  if (!net.ok()) return std::fprintf(stderr, "%s\n", std::string(net.status().message()).c_str()), 1;
  const LabeledImages digits = DigitGenerator(/*seed=*/1).DrawMany(kPictures);
  const std::unique_ptr<EngineFactory> engines = MakeEngineFactory({});
  std::vector<std::unique_ptr<InferenceEngine>> made;
  for (const Precision precision : {Precision::kHalf, Precision::kHalf, Precision::kSingle}) {
    const SteadyTime start = SteadyClock()->Now();
    auto engine = engines->Create(*model, kGpu, precision);
    if (!engine.ok()) return std::fprintf(stderr, "%s\n", std::string(engine.status().message()).c_str()), 1;
    std::printf("%s made in %.2f s\n", std::string((*engine)->name()).c_str(), Seconds(start));
    made.push_back(*std::move(engine));
  }
  EagerNetwork eager(*net, false), eager2(*net, false), eager_half(*net, true);
  const std::vector<Way> ways = {{"ours fp16", {Ours(made[0].get())}},
                                 {"two in flight", {Ours(made[0].get()), Ours(made[1].get())}},
                                 {"ours fp32 (no TF32)", {Ours(made[2].get())}},
                                 {"eager fp32 (TF32)", {Eager(&eager)}},
                                 {"two in flight", {Eager(&eager), Eager(&eager2)}},
                                 {"eager fp16", {Eager(&eager_half)}}};
  std::printf("\nImages a second, medians of %d rounds of %.2f s:\n\n| batch |", rounds, seconds);
  for (const Way& way : ways) std::printf(" %s |", way.name.c_str());
  std::printf(" ours fp16 / eager fp32 | both with two in flight | ours fp16 / eager fp16 |\n|");
  for (size_t i = 0; i < ways.size() + 4; ++i) std::printf("---|");
  std::printf("\n");
  for (int batch = 1; batch <= 1024; batch *= 2) {
    for (const Way& way : ways) static_cast<void>(Throughput(way, digits, batch, seconds / 3));  // warm-up
    std::vector<std::vector<double>> rates(ways.size());
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < ways.size(); ++i) rates[i].push_back(Throughput(ways[i], digits, batch, seconds));
    }
    std::printf("| %d |", batch);
    for (const std::vector<double>& rate : rates) std::printf(" %.0f |", Median(rate));
    std::printf(" %.1f | %.1f | %.1f |\n", Median(rates[0]) / Median(rates[3]), Median(rates[1]) / Median(rates[4]),
                Median(rates[0]) / Median(rates[5]));
  }
  std::printf(
      "\nMicroseconds from call to answer, one call at a time:\n\n| batch | ours fp16 p50 | p99 | eager fp32 p50 | p99 "
      "|\n");
  std::printf("|---|---|---|---|---|\n");
  for (const int batch : {1, 64}) {
    const std::vector<double> our_times = Microseconds(ways[0].threads[0], digits, batch, 5000);
    const std::vector<double> eager_times = Microseconds(ways[3].threads[0], digits, batch, 2000);
    std::printf("| %d | %.1f | %.1f | %.1f | %.1f |\n", batch, Percentile(our_times, 0.5), Percentile(our_times, 0.99),
                Percentile(eager_times, 0.5), Percentile(eager_times, 0.99));
  }
  std::printf("\nImages a second through the pool, 16 threads:\n\n| images a task | cuda:0 |\n|---|---|\n");
  auto pool = Pool::Create({.devices = *ParseDeviceList("cuda:0"), .engines = engines.get()});
  auto placed = (*pool)->Place("mnist", std::make_shared<Model>(*std::move(model)));
  if (!placed.ok()) return std::fprintf(stderr, "%s\n", std::string(placed.status().message()).c_str()), 1;
  for (const int images : {1, 8, 64}) {
    std::vector<double> rates;
    for (int round = 0; round < rounds; ++round) {
      rates.push_back(PoolThroughput(placed->get(), digits, images, 4 * seconds));
    }
    std::printf("| %d | %.0f |\n", images, Median(rates));
  }
  return 0;
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what was measured stays, whatever comes later
  CLI::App app("Measures a GPU: our engines against plain LibTorch");
  std::string path;
  int rounds = 3;
  double seconds = 0.15;
  app.add_option("MODEL", path)->required();
  app.add_option("--rounds", rounds);
  app.add_option("--seconds", seconds);
  bool kernels = false;
  app.add_flag("--kernels", kernels);
  CLI11_PARSE(app, argc, argv);
  return kernels ? digit::RunKernels(path) : digit::Run(path, rounds, seconds);
}
