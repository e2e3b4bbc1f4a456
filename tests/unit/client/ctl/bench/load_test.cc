// Lanes, load and measuring against a server on a port of its own.
#include "client/ctl/bench/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"
#include "client/ctl/bench/measure.h"
#include "tests/unit/client/ctl/bench/load_fixture.h"
#include "tests/unit/client/lib/fake_digit_service.h"

namespace digit {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr int kPictures = 10;

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    server_.recognize = [](grpc::ServerContext*, const v1::RecognizeRequest& request, v1::RecognizeResponse* response) {
      *response = AnswerTo(request);
      return grpc::Status::OK;
    };
    server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
      v1::RecognizeStreamRequest message;
      while (stream->Read(&message)) stream->Write(StreamAnswer(message));
      return grpc::Status::OK;
    };
  }

  static v1::RecognizeStreamResponse StreamAnswer(const v1::RecognizeStreamRequest& message) {
    v1::RecognizeStreamResponse answer;
    answer.set_id(message.id());
    *answer.mutable_response() = AnswerTo(message.request());
    return answer;
  }

  BenchPoint Run(const BenchOptions& bench, int64_t load, int threads = 1) {
    const MessageSet messages(PlainPictures(kPictures), bench, "m", "v", kTimeout);
    const AnswerCheck check = CheckOf(kPictures);
    const MeasureOptions options = {.load = {server_.address(), kTimeout, threads, load, bench},
                                    .interrupted = &interrupted_};
    auto point = Measure(options, messages, check);
    EXPECT_TRUE(point.ok()) << point.status();
    if (!point.ok()) return BenchPoint();
    EXPECT_EQ(point->total.sent, point->total.answers + point->total.errors);
    EXPECT_EQ(point->total.latency.count(), point->total.answers);
    return *std::move(point);
  }

  static constexpr absl::Duration kTimeout = absl::Seconds(20);
  FakeServer server_;
  std::atomic<bool> interrupted_ = false;
};

BenchOptions WithParts(BenchMode mode, int images, int connections, int streams) {
  BenchOptions options = OptionsOf(mode, images);
  options.connections = connections;
  options.streams = streams;
  return options;
}

TEST_F(LoadTest, AClosedLoopOfEveryKindIsAnsweredRightly) {
  for (const BenchOptions& bench : {WithParts(BenchMode::kUnary, 1, 1, 1), WithParts(BenchMode::kUnary, 1, 3, 1),
                                    WithParts(BenchMode::kPacked, 4, 2, 1), WithParts(BenchMode::kStream, 1, 1, 1),
                                    WithParts(BenchMode::kStream, 3, 2, 3)}) {
    for (const int64_t in_flight : {1, 5}) {  // 1: fewer than connections and streams
      const BenchPoint point = Run(bench, in_flight, 2);
      EXPECT_TRUE(point.clean()) << ModeName(bench.mode) << " " << in_flight;
      EXPECT_GT(point.window_images(), 0);
      EXPECT_EQ(point.total.labelled, point.total.answers * bench.images_per_message);
      EXPECT_EQ(point.total.right, point.total.labelled);
      EXPECT_FALSE(point.windows.empty());
    }
  }
}

TEST_F(LoadTest, TheServersOwnTimesAreSampled) {
  const BenchPoint point = Run(WithParts(BenchMode::kStream, 1, 1, 2), 8);
  EXPECT_GT(point.total.server.requests, 0);
  EXPECT_LT(point.total.server.requests, point.total.answers);
  EXPECT_EQ(point.total.server.queue, absl::Microseconds(20) * point.total.server.requests);
  EXPECT_EQ(point.total.server.batch_images, 3 * point.total.server.requests);
}

TEST_F(LoadTest, AnswersToOtherPicturesAreCountedAndNamed) {
  server_.recognize = [](grpc::ServerContext*, const v1::RecognizeRequest& request, v1::RecognizeResponse* response) {
    *response = AnswerTo(request);
    if (request.images(0).pixels()[0] == 3) *response->mutable_results(0)->mutable_prediction() = PredictionOf(4);
    return grpc::Status::OK;
  };
  const BenchPoint point = Run(OptionsOf(BenchMode::kUnary, 1), 4);
  EXPECT_GT(point.total.wrong, 0);
  EXPECT_LT(point.total.wrong, point.total.answers);
  EXPECT_FALSE(point.clean());
  EXPECT_THAT(point.total.wrong_samples, Contains(HasSubstr("picture 3: '4' under load, '3' alone")));
}

TEST_F(LoadTest, StreamAnswersWithAWrongIdAreWrong) {
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest message;
    while (stream->Read(&message)) {
      v1::RecognizeStreamResponse answer = StreamAnswer(message);
      if (message.id() == 2) answer.set_id(99);
      stream->Write(answer);
      if (message.id() == 2) break;  // the rest would all be one off
    }
    return grpc::Status::OK;
  };
  const BenchPoint point = Run(OptionsOf(BenchMode::kStream, 1), 1);
  EXPECT_GT(point.total.wrong, 0);
  EXPECT_THAT(point.total.wrong_samples, Contains("an answer with id 99 where 2 was expected"));
}

TEST_F(LoadTest, ErrorsAreCountedByCode) {
  server_.recognize = [](grpc::ServerContext*, const v1::RecognizeRequest& request, v1::RecognizeResponse* response) {
    if (request.images(0).pixels()[0] % 2 == 0) return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
    *response = AnswerTo(request);
    return grpc::Status::OK;
  };
  const BenchPoint point = Run(OptionsOf(BenchMode::kUnary, 1), 3);
  EXPECT_GT(point.total.answers, 0);
  EXPECT_THAT(point.total.errors_by_code, ElementsAre(Pair(8, point.total.errors)));
  EXPECT_EQ(point.total.first_error, "full");
  EXPECT_FALSE(point.given_up);
}

TEST_F(LoadTest, ErrorsWithinAStreamAreCountedByCode) {
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest message;
    while (stream->Read(&message)) {
      v1::RecognizeStreamResponse answer = StreamAnswer(message);
      if (message.id() % 2 == 0) answer.mutable_error()->set_code(4);
      stream->Write(answer);
    }
    return grpc::Status::OK;
  };
  const BenchPoint point = Run(OptionsOf(BenchMode::kStream, 1), 2);
  EXPECT_GT(point.total.answers, 0);
  EXPECT_THAT(point.total.errors_by_code, ElementsAre(Pair(4, point.total.errors)));
}

TEST_F(LoadTest, ABrokenStreamIsAnErrorOfItsMessagesAndOpensAgain) {
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest message;
    for (int i = 0; i < 20 && stream->Read(&message); ++i) stream->Write(StreamAnswer(message));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  };
  BenchOptions bench = OptionsOf(BenchMode::kStream, 1);
  bench.duration = absl::Milliseconds(300);
  bench.stable = 1e-9;
  const BenchPoint point = Run(bench, 4);
  EXPECT_GT(server_.calls, 1);
  EXPECT_GT(point.total.answers, 0);
  EXPECT_THAT(point.total.errors_by_code, ElementsAre(Pair(14, point.total.errors)));
  EXPECT_EQ(point.total.wrong, 0);
}

TEST_F(LoadTest, AWholeWindowOfErrorsGivesUp) {
  server_.recognize = [](auto...) { return grpc::Status(grpc::StatusCode::INTERNAL, "broken"); };
  BenchOptions bench = OptionsOf(BenchMode::kUnary, 1);
  bench.duration = absl::Hours(1);
  const BenchPoint point = Run(bench, 2);
  EXPECT_TRUE(point.given_up);
  EXPECT_EQ(point.windows.size(), 1u);
}

TEST_F(LoadTest, AnInterruptionEndsTheRunEarly) {
  BenchOptions bench = OptionsOf(BenchMode::kUnary, 1);
  bench.duration = bench.window = absl::Hours(1);
  server_.recognize = [this](grpc::ServerContext*, const v1::RecognizeRequest& request,
                             v1::RecognizeResponse* response) {
    if (server_.calls >= 500) interrupted_ = true;
    *response = AnswerTo(request);
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Run(bench, 2).interrupted);
}

// The open loop's schedule does not wait for answers: a server that answers nothing gets every request that is allowed
// to be outstanding, and what is due after that is counted.
TEST_F(LoadTest, AnOpenLoopGoesOnWhileNothingIsAnswered) {
  absl::Notification release;
  server_.recognize = [&release](grpc::ServerContext*, const v1::RecognizeRequest& request,
                                 v1::RecognizeResponse* response) {
    release.WaitForNotification();
    *response = AnswerTo(request);
    return grpc::Status::OK;
  };
  BenchOptions bench = OptionsOf(BenchMode::kUnary, 1);
  bench.concurrency.clear();
  bench.rate = {1000};
  bench.max_outstanding = 5;
  const MessageSet messages(PlainPictures(kPictures), bench, "m", "v", kTimeout);
  const AnswerCheck check = CheckOf(kPictures);
  Load load({server_.address(), kTimeout, 1, 1000, bench}, messages, check);
  load.StartCounting();
  ASSERT_TRUE(load.Start().ok());
  int64_t not_sent = 0;
  BenchCounts counts;
  while (not_sent < 20) {
    int64_t more = 0;
    counts.Merge(load.Take(&more));
    not_sent += more;
  }
  EXPECT_EQ(counts.sent, 5);
  EXPECT_EQ(counts.answers, 0);
  release.Notify();
  load.Stop(kTimeout);
  int64_t more = 0;
  counts.Merge(load.Take(&more));
  EXPECT_EQ(counts.answers, counts.sent);
  EXPECT_GE(counts.answers, 5);
  EXPECT_GE(counts.latency.max(), absl::Milliseconds(1));  // from the due time: 20 more arrivals came in between
}

TEST_F(LoadTest, AnOpenLoopOfEveryKindIsAnsweredRightly) {
  for (BenchOptions bench : {WithParts(BenchMode::kUnary, 1, 2, 1), WithParts(BenchMode::kPacked, 3, 1, 1),
                             WithParts(BenchMode::kStream, 2, 2, 3)}) {
    bench.concurrency.clear();
    bench.rate = {500};
    bench.duration = absl::Milliseconds(200);
    const BenchPoint point = Run(bench, 500, 2);
    EXPECT_TRUE(point.clean()) << ModeName(bench.mode);
    EXPECT_EQ(point.total.send_delay.count(), point.total.sent);
  }
}

TEST_F(LoadTest, WhatIsStillUnansweredAtTheEndIsCancelledAndCounted) {
  server_.recognize = [](grpc::ServerContext* context, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  server_.recognize_stream = [](int, grpc::ServerContext* context, FakeServer::Stream*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  for (const BenchMode mode : {BenchMode::kUnary, BenchMode::kStream}) {
    const BenchOptions bench = OptionsOf(mode, 1);
    const MessageSet messages(PlainPictures(kPictures), bench, "m", "v", kTimeout);
    const AnswerCheck check = CheckOf(kPictures);
    Load load({server_.address(), kTimeout, 1, 3, bench}, messages, check);
    load.StartCounting();
    ASSERT_TRUE(load.Start().ok());
    load.Stop(absl::Milliseconds(20));
    int64_t not_sent = 0;
    const BenchCounts counts = load.Take(&not_sent);
    EXPECT_EQ(counts.sent, 3);
    EXPECT_EQ(counts.errors, 3);
    EXPECT_THAT(counts.errors_by_code, ElementsAre(Pair(1, 3)));
  }
}

TEST_F(LoadTest, AServerThatIsNotThereIsUnavailable) {
  const BenchOptions bench = OptionsOf(BenchMode::kUnary, 1);
  const MessageSet messages(PlainPictures(1), bench, "m", "v", kTimeout);
  const AnswerCheck check = CheckOf(1);
  Load load({"127.0.0.1:1", absl::Milliseconds(100), 1, 1, bench}, messages, check);
  EXPECT_EQ(load.Start().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace digit
