#include "client/ctl/bench/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/ctl/flags.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

BenchOptions Parsed(std::vector<std::string> args) {
  args.insert(args.begin(), "bench");
  const auto result = ParseFlags(args);
  const auto* exit = std::get_if<EarlyExit>(&result);
  EXPECT_EQ(exit, nullptr) << (exit != nullptr ? exit->text : "");
  return exit == nullptr ? std::get<Flags>(result).bench : BenchOptions();
}

std::string Refusal(std::vector<std::string> args) {
  args.insert(args.begin(), "bench");
  const auto result = ParseFlags(args);
  const auto* exit = std::get_if<EarlyExit>(&result);
  if (exit == nullptr) return "accepted";
  EXPECT_EQ(exit->code, kExitUsage);
  EXPECT_EQ(exit->text.find('\n'), exit->text.size() - 1) << exit->text;  // one line
  return exit->text;
}

TEST(BenchOptionsTest, NeedsNoFlag) {
  const BenchOptions options = Parsed({});
  EXPECT_THAT(options.concurrency, ElementsAre(64));
  EXPECT_FALSE(options.open_loop());
  EXPECT_EQ(options.mode, BenchMode::kUnary);
  EXPECT_EQ(options.images_per_message, 1);
  EXPECT_EQ(options.generate, 1000);
  EXPECT_EQ(options.warmup, absl::Seconds(1));
  EXPECT_EQ(options.duration, absl::Seconds(10));
  EXPECT_DOUBLE_EQ(options.stable, 0.05);
}

TEST(BenchOptionsTest, TakesAllItsFlags) {
  const BenchOptions options = Parsed({"--rate",
                                       "100:400:2x",
                                       "--mode",
                                       "stream",
                                       "--streams",
                                       "4",
                                       "--connections",
                                       "2",
                                       "--images-per-message",
                                       "8",
                                       "--max-outstanding",
                                       "50",
                                       "--images",
                                       "a.png",
                                       "b.png",
                                       "--seed",
                                       "9",
                                       "--warmup",
                                       "0s",
                                       "--window",
                                       "500ms",
                                       "--duration",
                                       "1m",
                                       "--stable",
                                       "2.5%",
                                       "--plot",
                                       "out.svg"});
  EXPECT_THAT(options.rate, ElementsAre(100, 200, 400));
  EXPECT_THAT(options.concurrency, IsEmpty());
  EXPECT_TRUE(options.open_loop());
  EXPECT_EQ(options.mode, BenchMode::kStream);
  EXPECT_EQ(options.streams, 4);
  EXPECT_EQ(options.connections, 2);
  EXPECT_EQ(options.images_per_message, 8);
  EXPECT_EQ(options.max_outstanding, 50);
  EXPECT_THAT(options.images, ElementsAre("a.png", "b.png"));
  EXPECT_EQ(options.seed, 9u);
  EXPECT_EQ(options.warmup, absl::ZeroDuration());
  EXPECT_EQ(options.window, absl::Milliseconds(500));
  EXPECT_EQ(options.duration, absl::Minutes(1));
  EXPECT_DOUBLE_EQ(options.stable, 0.025);
  EXPECT_EQ(options.plot, "out.svg");
}

TEST(BenchOptionsTest, PackedHolds64ImagesUnlessTold) {
  EXPECT_EQ(Parsed({"--mode", "packed"}).images_per_message, 64);
  EXPECT_EQ(Parsed({"--mode", "packed", "--images-per-message", "3"}).images_per_message, 3);
  EXPECT_EQ(Parsed({"--mode", "stream"}).images_per_message, 1);
}

TEST(BenchOptionsTest, WhatIsWrongIsNamedByItsFlag) {
  EXPECT_THAT(Refusal({"--concurrency", "8", "--rate", "8"}), HasSubstr("--rate (open loop) exclude each other"));
  EXPECT_THAT(Refusal({"--concurrency", "none"}), HasSubstr("--concurrency: 'none'"));
  EXPECT_THAT(Refusal({"--rate", "0"}), HasSubstr("--rate: '0'"));
  EXPECT_THAT(Refusal({"--images-per-message", "2"}), HasSubstr("--images-per-message: goes with"));
  EXPECT_THAT(Refusal({"--streams", "2"}), HasSubstr("--streams: goes with"));
  EXPECT_THAT(Refusal({"--mode", "packed", "--images", "a.png"}), HasSubstr("--images: packed"));
  EXPECT_THAT(Refusal({"--images", "a.png", "--idx", "d"}), HasSubstr("--images and --idx"));
  EXPECT_THAT(Refusal({"--stable", "5"}), HasSubstr("--stable: '5'"));
  EXPECT_THAT(Refusal({"--window", "1ms"}), HasSubstr("--window: '1ms'"));
  EXPECT_THAT(Refusal({"--warmup", "long"}), HasSubstr("--warmup: 'long'"));
  EXPECT_THAT(Refusal({"--duration", "500ms"}), HasSubstr("--duration: 500ms is shorter than one --window"));
  EXPECT_THAT(Refusal({"--connections", "0"}), HasSubstr("--connections"));
  EXPECT_THAT(Refusal({"--mode", "fast"}), HasSubstr("--mode"));
}

TEST(BenchOptionsTest, HelpLeadsWithExamples) {
  const EarlyExit exit = std::get<EarlyExit>(ParseFlags({"bench", "--help"}));
  EXPECT_EQ(exit.code, kExitOk);
  EXPECT_LT(exit.text.find("Examples:"), exit.text.find("Usage:"));
  EXPECT_THAT(exit.text, HasSubstr("Exit codes:"));
}

}  // namespace
}  // namespace digit
