// Client::RecognizeStream against a scripted server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "client/lib/client.h"
#include "tests/unit/client/lib/fake_digit_service.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RecognizeStreamTest : public ::testing::Test {
 protected:
  // Answers `request` with its model name as the label.
  static v1::RecognizeStreamResponse Echo(const v1::RecognizeStreamRequest& request) {
    v1::RecognizeStreamResponse answer;
    answer.set_id(request.id());
    answer.mutable_response()->add_results()->mutable_prediction()->set_label(request.request().model());
    return answer;
  }

  static v1::RecognizeStreamResponse Error(const v1::RecognizeStreamRequest& request, grpc::StatusCode code,
                                           const std::string& message) {
    v1::RecognizeStreamResponse answer;
    answer.set_id(request.id());
    answer.mutable_error()->set_code(code);
    answer.mutable_error()->set_message(message);
    return answer;
  }

  static grpc::Status EchoAll(FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    while (stream->Read(&request)) stream->Write(Echo(request));
    return grpc::Status::OK;
  }

  // Requests "0", "1", ...; those in `own_failures_` as a status.
  std::optional<absl::StatusOr<v1::RecognizeRequest>> Next() {
    if (pulled_ == requests_) return std::nullopt;
    const int i = pulled_++;
    max_ahead_ = std::max(max_ahead_, pulled_ - static_cast<int>(answers_.size()));
    if (own_failures_.count(i) != 0) return absl::NotFoundError(absl::StrCat("own ", i));
    v1::RecognizeRequest request;
    request.set_model(absl::StrCat(i));
    request.set_packed_pixels(std::string(request_bytes_, 'x'));
    return request;
  }

  // Labels and error messages end up in answers_.
  absl::Status Run(StreamOptions options = {}, absl::Duration timeout = absl::Minutes(1)) {
    auto client = *Client::Create({.server = server_.address(), .timeout = timeout});
    return client->RecognizeStream([this] { return Next(); },
                                   [this](absl::StatusOr<v1::RecognizeResponse> answer) {
                                     answers_.push_back(!answer.ok() ? std::string(answer.status().message())
                                                        : answer->results(0).has_error()
                                                            ? answer->results(0).error().message()
                                                            : answer->results(0).prediction().label());
                                     return static_cast<int>(answers_.size()) != stop_after_;
                                   },
                                   options);
  }

  std::vector<std::string> Numbers() const {
    std::vector<std::string> numbers;
    for (int i = 0; i < requests_; ++i) numbers.push_back(absl::StrCat(i));
    return numbers;
  }

  int requests_ = 0;
  size_t request_bytes_ = 0;
  std::set<int> own_failures_;
  int stop_after_ = -1;
  int pulled_ = 0;
  int max_ahead_ = 0;
  std::vector<std::string> answers_;
  FakeServer server_;  // last: its handlers end before what they use
};

TEST_F(RecognizeStreamTest, AnswersComeInOrder) {
  requests_ = 500;
  server_.recognize_stream = [](int, grpc::ServerContext*, auto* stream) { return EchoAll(stream); };
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(answers_, Numbers());
  EXPECT_EQ(server_.calls, 1);
}

TEST_F(RecognizeStreamTest, NothingToSendEndsAtOnce) {
  server_.recognize_stream = [](int, grpc::ServerContext*, auto* stream) { return EchoAll(stream); };
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(answers_, ElementsAre());
}

TEST_F(RecognizeStreamTest, EachMessageCarriesTheTimeout) {
  requests_ = 1;
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    EXPECT_TRUE(stream->Read(&request));
    EXPECT_EQ(request.timeout().seconds(), 61);
    EXPECT_EQ(request.timeout().nanos(), 500'000'000);
    stream->Write(Echo(request));
    return EchoAll(stream);
  };
  EXPECT_TRUE(Run({}, absl::Milliseconds(61500)).ok());
}

TEST_F(RecognizeStreamTest, NeverMoreUnansweredThanTheWindow) {
  requests_ = 100;
  server_.recognize_stream = [](int, grpc::ServerContext*, auto* stream) { return EchoAll(stream); };
  EXPECT_TRUE(Run({.max_unanswered = 7}).ok());
  EXPECT_EQ(answers_, Numbers());
  EXPECT_LE(max_ahead_, 7);
}

TEST_F(RecognizeStreamTest, NeverMoreUnansweredBytesThanTheWindow) {
  requests_ = 20;
  request_bytes_ = 100'000;
  server_.recognize_stream = [](int, grpc::ServerContext*, auto* stream) { return EchoAll(stream); };
  EXPECT_TRUE(Run({.max_unanswered_bytes = 250'000}).ok());
  EXPECT_EQ(answers_, Numbers());
  EXPECT_LE(max_ahead_, 3);  // the third is pulled while there is room, before its size is known
}

TEST_F(RecognizeStreamTest, OwnFailuresKeepTheirPlaceAndCountInTheWindow) {
  requests_ = 50;
  for (int i = 0; i < 50; ++i) {
    if (i % 5 != 0) own_failures_.insert(i);
  }
  server_.recognize_stream = [](int, grpc::ServerContext*, auto* stream) { return EchoAll(stream); };
  EXPECT_TRUE(Run({.max_unanswered = 3}).ok());
  ASSERT_EQ(answers_.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(answers_[i], i % 5 == 0 ? absl::StrCat(i) : absl::StrCat("own ", i));
  EXPECT_LE(max_ahead_, 3);
}

TEST_F(RecognizeStreamTest, AnErrorIsAnAnswerAndDoesNotEndTheStream) {
  requests_ = 3;
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    while (stream->Read(&request)) {
      stream->Write(request.id() == 1 ? Error(request, grpc::StatusCode::INVALID_ARGUMENT, "no images")
                                      : Echo(request));
    }
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(answers_, ElementsAre("0", HasSubstr("no images"), "2"));
}

TEST_F(RecognizeStreamTest, OverloadIsSentAgainAndKeepsItsPlace) {
  requests_ = 4;
  std::atomic<int> refusals = 0;
  server_.recognize_stream = [&](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    while (stream->Read(&request)) {
      if (request.id() != 1 || refusals == 3) {
        stream->Write(Echo(request));
        continue;
      }
      v1::RecognizeStreamResponse refusal = Error(request, grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
      refusal.mutable_error()->mutable_retry_after()->set_nanos(1'000'000);
      switch (refusals++) {
        case 0:
          break;
        case 1:  // the queue was full only when the image had been decoded
          refusal = Echo(request);
          refusal.mutable_response()->mutable_results(0)->mutable_error()->set_reason(v1::ERROR_REASON_OVERLOADED);
          break;
        case 2:
          refusal = Error(request, grpc::StatusCode::UNAVAILABLE, "draining");
          break;
      }
      stream->Write(refusal);
    }
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(answers_, Numbers());
  EXPECT_EQ(refusals, 3);
}

TEST_F(RecognizeStreamTest, OverloadBeyondTheTimeoutOrWithoutATimeIsTheAnswer) {
  requests_ = 2;
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    while (stream->Read(&request)) {
      v1::RecognizeStreamResponse refusal = Error(request, grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
      if (request.id() == 0) refusal.mutable_error()->mutable_retry_after()->set_seconds(3600);
      stream->Write(refusal);
    }
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("full"), HasSubstr("full")));
}

TEST_F(RecognizeStreamTest, ABrokenStreamIsOpenedAgainWithWhatWasUnanswered) {
  requests_ = 20;
  server_.recognize_stream = [](int connection, grpc::ServerContext*, FakeServer::Stream* stream) {
    if (connection == 3) return EchoAll(stream);
    v1::RecognizeStreamRequest request;
    for (int i = 0; i < 5 && stream->Read(&request); ++i) stream->Write(Echo(request));
    return connection == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "max age")
                           : grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED");  // of a server that stops
  };
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(answers_, Numbers());
  EXPECT_EQ(server_.calls, 3);
}

TEST_F(RecognizeStreamTest, FourFruitlessConnectionsAreEnough) {
  requests_ = 2;
  server_.recognize_stream = [](int, grpc::ServerContext*, auto*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  const absl::Status status = Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("draining"));
  EXPECT_EQ(server_.calls, 4);
  EXPECT_THAT(answers_, ElementsAre());
}

TEST_F(RecognizeStreamTest, OtherFailuresOfTheStreamAreFinal) {
  requests_ = 2;
  server_.recognize_stream = [](int, grpc::ServerContext*, auto*) {
    return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who are you");
  };
  EXPECT_EQ(Run().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(server_.calls, 1);
}

TEST_F(RecognizeStreamTest, ASilentServerIsDeadlineExceeded) {
  requests_ = 3;
  server_.recognize_stream = [](int, grpc::ServerContext* context, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    stream->Read(&request);
    stream->Write(Echo(request));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  };
  absl::Status status;
  while (answers_.empty()) {  // once more when connecting and the first answer took longer than the timeout
    pulled_ = 0;
    status = Run({}, absl::Milliseconds(200));
    ASSERT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_EQ(std::string(status.message()), "no answer from " + server_.address() + " within 200ms");
  EXPECT_THAT(answers_, ElementsAre("0"));
}

TEST_F(RecognizeStreamTest, TheCallerMayStop) {
  requests_ = 1000;
  stop_after_ = 5;
  server_.recognize_stream = [](int, grpc::ServerContext*, auto* stream) { return EchoAll(stream); };
  EXPECT_EQ(Run().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(answers_, ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(RecognizeStreamTest, AnswersToWhatWasNotAskedAreIgnored) {
  requests_ = 3;
  server_.recognize_stream = [](int, grpc::ServerContext*, FakeServer::Stream* stream) {
    v1::RecognizeStreamRequest request;
    while (stream->Read(&request)) {
      v1::RecognizeStreamRequest stranger;
      stranger.set_id(request.id() + 1'000'000);
      stream->Write(Echo(stranger));
      stream->Write(Echo(request));
      stream->Write(Echo(request));  // twice
    }
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Run().ok());
  EXPECT_EQ(answers_, Numbers());
}

TEST(RecognizeStreamUnreachableTest, IsExplained) {
  const std::string nobody = "127.0.0.1:1";  // a port that nobody is given who asks for any
  auto client = *Client::Create({.server = nobody});
  const absl::Status status = client->RecognizeStream([] { return v1::RecognizeRequest(); }, [](auto) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot reach " + nobody + ": connection refused"));
}

}  // namespace
}  // namespace digit
