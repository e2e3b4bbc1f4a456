#include "client/gateway/api/coalescer.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "base/plain_png.h"
#include "client/gateway/api/recognition_json.h"

namespace digit {

asio::awaitable<Coalescer::Answer> Coalescer::Recognize(std::string model, std::string version, std::string picture,
                                                        std::string request_id, HttpExchange* exchange) {
  Answer answer = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Answer)>(
      [this, exchange](auto handler, std::string m, std::string v, std::string p, std::string id) {
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
        Add(executor, {std::move(m), std::move(v)}, std::move(p), std::move(id), resume);
      },
      asio::use_awaitable, std::move(model), std::move(version), std::move(picture), std::move(request_id));
  exchange->on_gone = nullptr;
  co_return answer;
}

void Coalescer::Add(const asio::any_io_executor& executor, const Key& key, std::string picture, std::string request_id,
                    Resume resume) {
  Line& line = lines_[key];
  if (line.next.waiting.empty()) {
    line.next.request.set_model(key.first);
    line.next.request.set_version(key.second);
    line.has_waited_a_tick = false;
    asio::post(executor, [this, executor, key] { EndTurn(executor, key); });
  }
  line.next.request.add_images()->set_encoded(std::move(picture));
  if (!request_id.empty()) line.next.request_ids.push_back(std::move(request_id));
  line.next.waiting.push_back(std::move(resume));
  if (line.next.waiting.size() == kMaxPictures) SendNext(executor, key, line);
}

void Coalescer::EndTurn(const asio::any_io_executor& executor, const Key& key) {
  const auto found = lines_.find(key);
  if (found == lines_.end() || found->second.next.waiting.empty()) return;  // it was full before
  if (found->second.calls_under_way > 0) return TickLater(executor);
  SendNext(executor, key, found->second);
}

// One timer for all: what it finds waiting for the second time goes.
void Coalescer::TickLater(const asio::any_io_executor& executor) {
  if (std::exchange(ticking_, true)) return;
  auto timer = std::make_shared<asio::steady_timer>(executor, kTick);  // the loop's own: *this may live longer
  timer->async_wait([this, executor, timer](const boost::system::error_code& error) {
    if (!error) Tick(executor);
  });
}

void Coalescer::Tick(const asio::any_io_executor& executor) {
  ticking_ = false;
  for (auto& [key, line] : lines_) {
    if (line.next.waiting.empty()) continue;
    if (line.has_waited_a_tick) {
      SendNext(executor, key, line);
    } else {
      line.has_waited_a_tick = true;
      TickLater(executor);
    }
  }
}

bool Coalescer::IsSmall(absl::string_view picture) {
  constexpr size_t kMaxBytes = 4 << 10;
  constexpr uint32_t kMaxSide = 64;
  if (picture.size() > kMaxBytes) return false;
  const std::optional<PlainPng> png = ReadPlainPng(picture);
  return png.has_value() && png->width <= kMaxSide && png->height <= kMaxSide;
}

void Coalescer::SendNext(const asio::any_io_executor& executor, const Key& key, Line& line) {
  Send(executor, key, line, std::exchange(line.next, {}));
}

void Coalescer::Send(const asio::any_io_executor& executor, const Key& key, Line& line, Group group) {
  ++line.calls_under_way;
  auto sent = std::make_shared<Group>(std::move(group));
  call_(sent, [this, executor, key, sent](SharedAnswer answer) {
    asio::post(executor, [this, executor, key, sent, answer = std::move(answer)]() mutable {
      if (answer.status.ok()) answer.status = CheckResults(answer.response, sent->request.images_size());
      Finish(executor, key, *sent, std::make_shared<const SharedAnswer>(std::move(answer)));
    });
  });
}

void Coalescer::Finish(const asio::any_io_executor& executor, const Key& key, Group& group,
                       const std::shared_ptr<const SharedAnswer>& answer) {
  const auto found = lines_.find(key);
  Line& line = found->second;  // is there: it has this call
  --line.calls_under_way;
  if (absl::IsInvalidArgument(answer->status) && group.waiting.size() > 1) {
    SendEach(executor, key, line, group);
  } else {
    for (size_t i = 0; i < group.waiting.size(); ++i) {
      group.waiting[i]({.shared = answer, .index = static_cast<int>(i)});
    }
  }
  if (line.calls_under_way > 0) return;
  if (line.next.waiting.empty()) {
    lines_.erase(found);
  } else {
    SendNext(executor, key, line);
  }
}

void Coalescer::SendEach(const asio::any_io_executor& executor, const Key& key, Line& line, Group& group) {
  for (size_t i = 0; i < group.waiting.size(); ++i) {
    Group one;
    one.request.set_model(key.first);
    one.request.set_version(key.second);
    *one.request.add_images() = std::move(*group.request.mutable_images(static_cast<int>(i)));
    one.waiting.push_back(std::move(group.waiting[i]));
    Send(executor, key, line, std::move(one));
  }
}

}  // namespace digit
