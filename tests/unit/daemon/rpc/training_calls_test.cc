// Train while its caller goes away or the server stops, with a shell script in place of digit-train.
#include <sys/stat.h>

#include <future>
#include <thread>

#include "base/file.h"
#include "gmock/gmock.h"
#include "tests/unit/daemon/rpc/digit_service_fixture.h"

namespace digit {
namespace {

// Some epochs, and then it runs until SIGTERM.
constexpr char kTrainer[] = R"(#!/bin/sh
say() { echo "$1" >&3; }
say '{"event":"started","version":"test","epochs":150,"steps":10,"images":100}'
i=0
while [ $((i += 1)) -le 150 ]; do say "{\"event\":\"epoch\",\"epoch\":$i,\"loss\":0.5,\"accuracy\":0.5}"; done
tail -f /dev/null & trap 'exit 130' TERM
wait
)";

class TrainingCallsTest : public DigitServiceTest {
 protected:
  void SetUp() override {
    DigitServiceTest::SetUp();
    std::filesystem::create_directories(scratch_ + "/data/mnist");
    ASSERT_TRUE(WriteFileAtomically(scratch_ + "/trainer", kTrainer).ok());
    ::chmod((scratch_ + "/trainer").c_str(), 0755);
    request_.set_data_set("mnist");
  }
  void TearDown() override {
    trainings_.Stop();
    DigitServiceTest::TearDown();
  }
  // Waits until there are `count` trainings and that holds for the newest; returns that.
  TrainingJob WaitFor(size_t count, const std::function<bool(const TrainingJob&)>& what) {
    std::vector<TrainingJob> jobs;
    do {
      std::this_thread::yield();
      jobs = trainings_.List("");
    } while (jobs.size() < count || !what(jobs.front()));
    return jobs.front();
  }

  v1::TrainRequest request_;
};

TEST_F(TrainingCallsTest, ACallerMayLeaveWhileItsTrainingIsBeingAccepted) {
  const auto any = [](const TrainingJob&) { return true; };
  grpc::ClientContext first_context;
  const auto first = stub_->Train(&first_context, request_);
  const TrainingJob running = WaitFor(1, [](const TrainingJob& job) { return job.epochs.size() == 150; });
  std::promise<void> idle, looks, go_on;
  trainings_.Submit({}, [&](const absl::StatusOr<std::string>&) { idle.set_value(); });
  idle.get_future().wait();  // the thread that accepts has told of the last epoch
  std::thread looker([&] {   // whoever looks holds up those who come to look
    const auto watch = trainings_.Watch(running.id, [&](const TrainingJob* job) {
      if (job == nullptr || job->has_ended()) return;
      looks.set_value();
      go_on.get_future().wait();
    });
    EXPECT_TRUE(watch.ok());
    if (watch.ok()) trainings_.Unwatch(*watch);
  });
  looks.get_future().wait();
  grpc::ClientContext context;
  const auto second = stub_->Train(&context, request_);
  WaitFor(2, any);
  context.TryCancel();
  EXPECT_EQ(second->Finish().error_code(), grpc::StatusCode::CANCELLED);
  WaitFor(2, [](const TrainingJob& job) { return job.cancelled; });
  go_on.set_value();
  looker.join();
  EXPECT_EQ(WaitFor(2, [](const TrainingJob& job) { return job.has_ended(); }).state, TrainingJobState::kCancelled);
  first_context.TryCancel();
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(TrainingCallsTest, AServerThatStopsDoesNotCancelTheTrainingOfACallerThatDoesNotRead) {
  grpc::ClientContext context;
  const auto unread = stub_->Train(&context, request_);
  // States of up to 4 kB, 300 kB in all: more than HTTP/2 sends to somebody who does not read.
  const TrainingJob running = WaitFor(1, [](const TrainingJob& job) { return job.epochs.size() == 150; });
  trainings_.EndWatches();
  server_->Shutdown(std::chrono::system_clock::time_point());  // its time has come
  EXPECT_FALSE(trainings_.Get(running.id)->cancelled);
  v1::TrainResponse response;
  while (unread->Read(&response)) {
  }
  EXPECT_FALSE(unread->Finish().ok());
}

}  // namespace
}  // namespace digit
