#include "client/gateway/api/coalescer.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <optional>

#include "absl/strings/match.h"

namespace digit {

asio::awaitable<Coalescer::Answer> Coalescer::Recognize(std::string model, std::string version, std::string picture,
                                                        HttpExchange* exchange) {
  Answer answer = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Answer)>(
      [this, exchange](auto handler, std::string m, std::string v, std::string p) {
        const asio::any_io_executor executor = asio::get_associated_executor(handler);
        // Shared, as std::function wants copies; empty once it has gone on.
        auto waiting = std::make_shared<std::optional<decltype(handler)>>(std::move(handler));
        const Resume resume = [waiting](Answer came) {
          if (!waiting->has_value()) return;
          auto go_on = std::move(**waiting);
          waiting->reset();
          std::move(go_on)(std::move(came));
        };
        exchange->on_gone = [executor, resume] {
          auto gone = std::make_shared<SharedAnswer>();
          gone->status = absl::CancelledError("the client has gone");
          asio::post(executor, [resume, gone] { resume({.shared = gone, .index = 0}); });
        };
        Add(executor, std::move(m), std::move(v), std::move(p), resume);
      },
      asio::use_awaitable, std::move(model), std::move(version), std::move(picture));
  exchange->on_gone = nullptr;
  co_return answer;
}

void Coalescer::Add(const asio::any_io_executor& executor, std::string model, std::string version, std::string picture,
                    Resume resume) {
  if (groups_.empty()) asio::post(executor, [this, executor] { Send(executor); });
  Group* group = nullptr;
  for (Group& candidate : groups_) {
    if (candidate.request.model() == model && candidate.request.version() == version &&
        candidate.waiting.size() < kMaxPictures) {
      group = &candidate;
    }
  }
  if (group == nullptr) {
    group = &groups_.emplace_back();
    group->request.set_model(std::move(model));
    group->request.set_version(std::move(version));
  }
  group->request.add_images()->set_encoded(std::move(picture));
  group->waiting.push_back(std::move(resume));
}

bool Coalescer::IsSmall(absl::string_view picture) {
  constexpr absl::string_view kPng("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  constexpr size_t kMaxBytes = 64 << 10, kHeader = 24;  // signature, and the first chunk with width and height
  constexpr uint32_t kMaxSide = 512;
  if (picture.size() < kHeader || picture.size() > kMaxBytes || !absl::StartsWith(picture, kPng)) return false;
  const auto number = [picture](size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(picture[i]);
    return value;
  };
  return number(16) <= kMaxSide && number(20) <= kMaxSide;
}

void Coalescer::Send(const asio::any_io_executor& executor) {
  std::vector<Group> groups = std::move(groups_);
  groups_.clear();
  for (Group& group : groups) SendGroup(executor, std::move(group));
}

void Coalescer::SendGroup(const asio::any_io_executor& executor, Group group) {
  auto sent = std::make_shared<Group>(std::move(group));
  call_({sent, &sent->request}, [this, executor, sent](SharedAnswer answer) {
    auto shared = std::make_shared<const SharedAnswer>(std::move(answer));
    asio::post(executor, [this, executor, sent, shared] {
      if (absl::IsInvalidArgument(shared->status) && sent->waiting.size() > 1) return SendEach(executor, *sent);
      for (size_t i = 0; i < sent->waiting.size(); ++i) {
        sent->waiting[i]({.shared = shared, .index = static_cast<int>(i)});
      }
    });
  });
}

void Coalescer::SendEach(const asio::any_io_executor& executor, Group& group) {
  for (size_t i = 0; i < group.waiting.size(); ++i) {
    Group one;
    one.request.set_model(group.request.model());
    one.request.set_version(group.request.version());
    *one.request.add_images() = std::move(*group.request.mutable_images(static_cast<int>(i)));
    one.waiting.push_back(std::move(group.waiting[i]));
    SendGroup(executor, std::move(one));
  }
}

}  // namespace digit
