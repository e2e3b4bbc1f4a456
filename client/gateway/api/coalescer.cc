#include "client/gateway/api/coalescer.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

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

void Coalescer::Send(const asio::any_io_executor& executor) {
  std::vector<Group> groups = std::move(groups_);
  groups_.clear();
  for (Group& group : groups) {
    auto waiting = std::make_shared<std::vector<Resume>>(std::move(group.waiting));
    call_(std::move(group.request), [executor, waiting](SharedAnswer answer) {
      auto shared = std::make_shared<const SharedAnswer>(std::move(answer));
      asio::post(executor, [waiting, shared] {
        for (size_t i = 0; i < waiting->size(); ++i) (*waiting)[i]({.shared = shared, .index = static_cast<int>(i)});
      });
    });
  }
}

}  // namespace digit
