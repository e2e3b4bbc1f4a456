// The engines on a GPU, by the module as digitd loads it, against the CPU engine.
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <latch>
#include <thread>

#include "model/dataset/digit_generator.h"
#include "model/engine/cpu_engine.h"
#include "model/engine/engine_factory.h"
#include "model/engine/reference_check.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

constexpr Device kGpu{Device::Kind::kCuda, 0};
constexpr int kBatches[] = {1, 2, 3, 7, 8, 31, 64, 100, 255, 256, 1000, 1024, 1025, 2500};

EngineFactory& Engines() {
  static EngineFactory& engines = *MakeEngineFactory({}).release();
  return engines;
}

std::unique_ptr<InferenceEngine> Create(const Model& model, Precision precision) {
  auto engine = Engines().Create(model, kGpu, precision);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *std::move(engine) : nullptr;
}

std::vector<float> Scores(InferenceEngine& engine, absl::Span<const uint8_t> pixels) {
  std::vector<float> scores(pixels.size() / kImagePixels * engine.num_classes(), NAN);
  const absl::Status status = engine.Infer(pixels, absl::MakeSpan(scores));
  EXPECT_TRUE(status.ok()) << status;
  return scores;
}

// The largest difference, over the largest logit.
float Error(const std::vector<float>& got, const std::vector<float>& want) {
  float error = 0, largest = 1;
  for (size_t i = 0; i < want.size(); ++i) {
    if (!std::isfinite(got[i])) return INFINITY;
    error = std::max(error, std::abs(got[i] - want[i]));
    largest = std::max(largest, std::abs(want[i]));
  }
  return error / largest;
}

TEST(GpuEngineTest, SeesTheGpu) { EXPECT_GE(Engines().CountGpus(), 1); }

TEST(GpuEngineTest, AgreesWithTheCpuEngineAtEveryBatchSizeAndWidth) {
  for (const Widths& widths : {Widths{}, Widths{.conv1 = 3, .conv2 = 13, .hidden = 7, .classes = 26}}) {
    const Model model = RandomModel(1, widths);
    const std::unique_ptr<InferenceEngine> cpu = *CpuEngine::Create(model);
    for (const Precision precision : {Precision::kSingle, Precision::kHalf}) {
      const std::unique_ptr<InferenceEngine> gpu = Create(model, precision);
      ASSERT_NE(gpu, nullptr);
      EXPECT_EQ(gpu->precision(), precision);
      EXPECT_EQ(gpu->num_classes(), widths.classes);
      for (int images : kBatches) {
        const std::vector<uint8_t> pixels = RandomImages(images, images);
        const float error = Error(Scores(*gpu, pixels), Scores(*cpu, pixels));
        EXPECT_LE(error, precision == Precision::kHalf ? 2e-2f : 1e-4f) << gpu->name() << ", " << images;
        RecordProperty(std::string(gpu->name()) + "_" + std::to_string(images), ::testing::PrintToString(error));
      }
      EXPECT_EQ(CheckReference(*gpu, model), absl::OkStatus());
    }
  }
}

TEST(GpuEngineTest, TheShippedModelPassesItsReferenceInputsAndItsClassesStay) {
  const absl::StatusOr<Model> model = LoadModel("model/pretrained/mnist.pt");
  ASSERT_TRUE(model.ok()) << model.status();
  const LabeledImages digits = DigitGenerator(/*seed=*/7).DrawMany(5000);
  const std::unique_ptr<InferenceEngine> cpu = *CpuEngine::Create(*model);
  const std::vector<float> want = Scores(*cpu, digits.pixels);
  for (const Precision precision : {Precision::kSingle, Precision::kHalf}) {
    const std::unique_ptr<InferenceEngine> gpu = Create(*model, precision);
    ASSERT_NE(gpu, nullptr);
    EXPECT_EQ(CheckReference(*gpu, *model), absl::OkStatus());
    const std::vector<float> got = Scores(*gpu, digits.pixels);
    EXPECT_LE(Error(got, want), precision == Precision::kHalf ? 2e-2f : 1e-4f);
    int differ = 0;
    for (int i = 0; i < digits.size(); ++i) {
      const auto best = [i](const std::vector<float>& scores) {
        return std::max_element(scores.begin() + i * 10, scores.begin() + i * 10 + 10) - scores.begin() - i * 10;
      };
      differ += best(got) != best(want) ? 1 : 0;
    }
    std::printf("%s: %d of %d classes differ, error %g\n", std::string(gpu->name()).c_str(), differ, digits.size(),
                Error(got, want));
    EXPECT_LE(differ, precision == Precision::kHalf ? 5 : 0);
  }
}

TEST(GpuEngineTest, WhatLiesInTheInputBufferIsNotCopiedAndWhatWasThereBeforeNeverShows) {
  const Model model = RandomModel(1);
  const std::unique_ptr<InferenceEngine> gpu = Create(model, Precision::kHalf);
  ASSERT_NE(gpu, nullptr);
  const std::vector<uint8_t> many = RandomImages(1, 1024), few = RandomImages(2, 3);
  const std::vector<float> want = Scores(*gpu, few);
  static_cast<void>(Scores(*gpu, many));
  uint8_t* const buffer = gpu->InputBuffer(3);
  ASSERT_NE(buffer, nullptr);
  std::memcpy(buffer, few.data(), few.size());
  EXPECT_EQ(Scores(*gpu, absl::MakeConstSpan(buffer, few.size())), want);
  EXPECT_EQ(gpu->InputBuffer(1025), nullptr);
}

TEST(GpuEngineTest, EnginesServeWhileOthersAreMadeAndGo) {
  const Model model = RandomModel(1);
  const std::vector<uint8_t> pixels = RandomImages(1, 33);
  constexpr int kServing = 3;
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0, runs = 0;
  std::latch made(kServing);
  std::vector<std::thread> threads;
  for (int t = 0; t < kServing; ++t) {
    threads.emplace_back([&] {
      const std::unique_ptr<InferenceEngine> gpu = Create(model, Precision::kHalf);
      made.count_down();
      ASSERT_NE(gpu, nullptr);
      const std::vector<float> want = Scores(*gpu, pixels);
      while (!stop) {
        wrong += Scores(*gpu, pixels) == want ? 0 : 1;
        ++runs;
      }
    });
  }
  made.wait();
  // LibTorch has 32 streams, which it hands out in turns: the next would be that of the first engine, were it from
  // there.
  for (int i = kServing; i < 32; ++i) static_cast<void>(c10::cuda::getStreamFromPool());
  for (int i = 0; i < 4; ++i) {
    const std::unique_ptr<InferenceEngine> other =
        Create(RandomModel(i + 2), i % 2 == 0 ? Precision::kHalf : Precision::kSingle);
    ASSERT_NE(other, nullptr);
    static_cast<void>(Scores(*other, pixels));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(runs, 0);
}

TEST(GpuEngineTest, AnyTorchScriptRunsAsWell) {
  absl::StatusOr<Model> model = LoadModel("model/pretrained/mnist.pt");
  ASSERT_TRUE(model.ok()) << model.status();
  const std::unique_ptr<InferenceEngine> cpu = *CpuEngine::Create(*model);
  model->is_digit_cnn = false;  // its program, not its weights
  if (model->bytes.empty()) model->bytes = ReadModelFiles("model/pretrained/mnist.pt")->bytes;
  const std::unique_ptr<InferenceEngine> gpu = Create(*model, Precision::kSingle);
  ASSERT_NE(gpu, nullptr);
  EXPECT_EQ(gpu->name(), "torch");
  for (int images : {1, 5, 64}) {
    const std::vector<uint8_t> pixels = RandomImages(images, images);
    EXPECT_LE(Error(Scores(*gpu, pixels), Scores(*cpu, pixels)), 1e-4f) << images;
  }
}

TEST(GpuEngineTest, AGpuThatIsNotThereIsAFailedPrecondition) {
  const absl::Status status = Engines().Create(RandomModel(1), {Device::Kind::kCuda, 99}, Precision::kHalf).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cuda:99"));
}

// Somebody else has nearly all of the memory; with it free again, all is as before.
TEST(GpuEngineTest, WithoutMemoryAnEngineIsRefusedAndNothingElseIsLost) {
  const Model model = RandomModel(1, {.conv1 = 512, .conv2 = 512, .hidden = 1024});  // 1 GiB and more
  const Model small = RandomModel(1);
  const std::vector<uint8_t> pixels = RandomImages(1, 5);
  const std::unique_ptr<InferenceEngine> serving = Create(small, Precision::kSingle);
  ASSERT_NE(serving, nullptr);
  const std::vector<float> want = Scores(*serving, pixels);
  std::vector<void*> taken;
  c10::cuda::CUDACachingAllocator::emptyCache();  // what engines have left there
  for (size_t size = size_t{16} << 30; size >= size_t{64} << 20; size /= 2) {
    void* memory = nullptr;
    while (cudaMalloc(&memory, size) == cudaSuccess) taken.push_back(memory);
    static_cast<void>(cudaGetLastError());
  }
  const absl::Status status = Engines().Create(model, kGpu, Precision::kSingle).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(Scores(*serving, pixels), want);
  for (void* memory : taken) cudaFree(memory);
  EXPECT_NE(Create(model, Precision::kSingle), nullptr);
}

}  // namespace
}  // namespace digit
