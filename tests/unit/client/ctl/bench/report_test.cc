#include "client/ctl/bench/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "base/json.h"
#include "tests/unit/client/ctl/bench/bench_fixture.h"

namespace digit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BenchSetup OpenSetup() {
  BenchSetup setup = SomeSetup();
  setup.options.concurrency.clear();
  setup.options.rate = {2000};
  return setup;
}

TEST(BenchTextTest, SaysWhatIsMeasuredAndHow) {
  EXPECT_EQ(FormatBenchIntroduction(SomeSetup()),
            R"(digitd 0.1.0 at 127.0.0.1:50051, model mnist 0123456789ab; unary, 1 image a message, 1 connection
1000 generated digits (seed 1); each was first asked for alone, and every answer is compared with that
closed loop, latencies from sending (it sends less when the server is slow)
warm-up 1s, then windows of 1s until three in a row agree within 5 % (throughput and median), at most 10s
)");
}

TEST(BenchTextTest, ARowStandsUnderItsHeader) {
  EXPECT_EQ(FormatBenchHeader(SomeSetup()) + FormatBenchRow(SomePoint(64)),
            R"(       in     images      p50      p90      p99    p99.9      max    client    server   errors   wrong
   flight      per s       ms       ms       ms       ms       ms  us/image  us/image
       64      100.0    2.003    3.000    3.000    3.000    3.000     20.00     50.00        0       0
)");
}

TEST(BenchTextTest, DetailsAreWhatAScepticAsks) {
  EXPECT_EQ(
      FormatBenchDetails(SomeSetup(), SomePoint(64)),
      R"(64 in flight: 300 requests in 3.0 s, 3 windows, stable; throughput within 10.0 % of its mean over all windows
  where the mean of 2.000 ms goes (10 requests asked): decode 0.000, queue 0.500, compute 1.000, the rest (wire and both ends) 0.500 ms; 8.0 images in a batch
  answers: every one is what the server says for that picture alone; 99.00 % of 300 images match the set's labels
  fewer than 1,000 answers: p99.9 says no more than the maximum
)");
}

TEST(BenchTextTest, WhatWentWrongIsSaid) {
  EXPECT_EQ(
      FormatBenchDetails(OpenSetup(), SomeBadPoint()),
      R"(2,000 requests a second: 1,306 requests in 3.0 s, 3 windows, NOT STABLE within 5 %; throughput within 10.0 % of its mean over all windows
  latencies count from the moment a request was due (Poisson, seed 1), so waiting to be sent is in them; the generator itself was 0.000 ms late in the median, 0.000 ms at p99
  NOT SENT: 4 requests were due while 10,000 were unanswered (--max-outstanding); the percentiles leave them out
  where the mean of 2.000 ms goes (10 requests asked): decode 0.000, queue 0.500, compute 1.000, the rest (wire and both ends) 0.500 ms; 8.0 images in a batch
  WRONG ANSWERS: 1 differ from what the server says for that picture alone; 99.00 % of 300 images match the set's labels
    generated digit 3: '8' under load, '3' alone
  errors: 1,000 RESOURCE_EXHAUSTED, 5 UNAVAILABLE; the first: the queue is full\x0areally
  LOST: 1 requests ended in no way
  given up: a whole window without one answer
  fewer than 1,000 answers: p99.9 says no more than the maximum
)");
}

TEST(BenchTextTest, ABusyGeneratorWarnsOfItself) {
  BenchPoint point = SomePoint(64);
  EXPECT_THAT(FormatBenchDetails(SomeSetup(), point), Not(HasSubstr("CAUTION")));
  point.client_cpu = absl::Seconds(2.9);
  EXPECT_THAT(FormatBenchDetails(SomeSetup(), point), HasSubstr("CAUTION: this generator kept 1.0 cores busy"));
}

TEST(BenchTextTest, ARunWithoutAnswersIsPrintedToo) {
  BenchPoint point;
  point.load = 1;
  point.interrupted = true;
  EXPECT_THAT(FormatBenchRow(point), HasSubstr("unknown"));
  EXPECT_THAT(FormatBenchDetails(SomeSetup(), point), HasSubstr("interrupted"));
}

TEST(BenchJsonTest, IsTheDocumentedObject) {
  EXPECT_EQ(
      FormatBenchJson(OpenSetup(), SomeBadPoint()),
      R"json({"server":"127.0.0.1:50051","server_version":"0.1.0","model":"mnist","version":"0123456789ab",)json"
      R"json("mode":"unary","loop":"open","pictures":"1000 generated digits (seed 1)","picture_count":1000,)json"
      R"json("images_per_message":1,"streams":0,"connections":1,"threads":1,"timeout_s":10,"warmup_s":1,"window_s":1,"stable_limit":0.05,)json"
      R"json("seed":1,"concurrency":null,"rate":2000,"seconds":3,"windows":3,"stable":false,)json"
      R"json("throughput_spread":0.1,"interrupted":false,"given_up":true,"requests":1306,"answers":300,)json"
      R"json("errors":1005,"wrong":1,"not_sent":4,"images_per_second":100,"latency_from":"due",)json"
      R"json("p50_us":2002.9,"p90_us":3000.0,"p99_us":3000.0,"p999_us":3000.0,"max_us":3000.0,)json"
      R"json("mean_us":2000.0,"error_p50_us":2000.0,"error_p99_us":2000.0,"send_delay_p99_us":0.0,)json"
      R"json("server_decode_us":0.0,"server_queue_us":500.0,"server_queue_max_us":900.0,)json"
      R"json("server_compute_us":1000.0,"server_batch_images":8,"server_times_requests":10,)json"
      R"json("client_cpu_us_per_image":20,"server_cpu_us_per_image":null,"server_process":"digitd, pid 7",)json"
      R"json("labelled_images":300,"accuracy":0.99,"window_images_per_second":[90,100,110],)json"
      R"json("errors_by_code":{"RESOURCE_EXHAUSTED":1000,"UNAVAILABLE":5},)json"
      R"json("first_error":"the queue is full\nreally","wrong_samples":["generated digit 3: '8' under load,)json"
      R"json( '3' alone"]})json"
      "\n");
}

TEST(BenchJsonTest, IsValidWhateverTheServerSays) {
  BenchSetup setup = SomeSetup();
  setup.model = "a \"b\"\\\n\xff";
  BenchPoint empty;
  for (const BenchPoint& point : {empty, SomePoint(1), SomeBadPoint()}) {
    const std::string line = FormatBenchJson(setup, point);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto parsed = ParseJson(line, "bench");
    ASSERT_TRUE(parsed.ok()) << line;
    EXPECT_EQ(parsed->at("requests").as_int64(), point.total.sent);
  }
}

TEST(BenchCsvTest, RowsFitTheirHeader) {
  const std::vector<std::string> names = absl::StrSplit(FormatBenchCsvHeader(), ',');
  const std::vector<std::string> values = absl::StrSplit(FormatBenchCsv(OpenSetup(), SomeBadPoint()), ',');
  BenchSetup plain = OpenSetup();
  plain.server_process.clear();  // holds a comma, which is quoted
  const std::vector<std::string> plain_values = absl::StrSplit(FormatBenchCsv(plain, SomeBadPoint()), ',');
  ASSERT_EQ(plain_values.size(), names.size());
  EXPECT_EQ(values.size(), names.size() + 1);
  const auto value = [&](absl::string_view name) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == name) return plain_values[i];
    }
    return std::string("no such column");
  };
  EXPECT_EQ(value("rate"), "2000");
  EXPECT_EQ(value("concurrency"), "");
  EXPECT_EQ(value("p50_us"), "2002.9");  // 2 ms, within the histogram's error
  EXPECT_EQ(value("server_cpu_us_per_image"), "");
  EXPECT_EQ(names.back(), "errors_by_code\n");
  EXPECT_EQ(plain_values.back(), "RESOURCE_EXHAUSTED=1000 UNAVAILABLE=5\n");
}

TEST(GrpcCodeNameTest, NamesWhatThereIs) {
  EXPECT_EQ(GrpcCodeName(4), "DEADLINE_EXCEEDED");
  EXPECT_EQ(GrpcCodeName(14), "UNAVAILABLE");
  EXPECT_EQ(GrpcCodeName(99), "code 99");
}

TEST(BenchPointTest, IsCleanWhenNothingIsWrongOrMissing) {
  EXPECT_TRUE(SomePoint(1).clean());
  EXPECT_FALSE(SomeBadPoint().clean());
  EXPECT_FALSE(BenchPoint().clean());
  BenchPoint lost = SomePoint(1);
  ++lost.total.sent;
  EXPECT_FALSE(lost.clean());
  BenchPoint cut = SomePoint(1);
  cut.interrupted = true;
  EXPECT_FALSE(cut.clean());
}

TEST(BenchCountsTest, MergingAddsAllAndKeepsTheFirstSamples) {
  BenchCounts counts = SomeBadPoint().total;
  for (int i = 0; i < 9; ++i) counts.Merge(SomeBadPoint().total);
  EXPECT_EQ(counts.sent, 13'060);
  EXPECT_EQ(counts.errors_by_code[8], 10'000);
  EXPECT_EQ(counts.wrong, 10);
  EXPECT_EQ(counts.wrong_samples.size(), 5u);
  EXPECT_EQ(counts.latency.count(), 3000);
  EXPECT_EQ(counts.server.batch_images, 800);
}

}  // namespace
}  // namespace digit
