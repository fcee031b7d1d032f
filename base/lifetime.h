// Keeps a callback from reaching an object that is gone.
#pragma once

#include <memory>
#include <utility>

namespace base {

// Make it the last member of the object that callbacks point to, so that it is destroyed first. Copies of the object's
// callbacks may outlive the object: guarded ones then do nothing. For one thread.
class Lifetime {
 public:
  Lifetime() = default;
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  // Returns a function that passes its arguments to `callback` while this object lives, and does nothing afterwards.
  template <class Callback>
  auto guard(Callback callback) const {
    return [alive = std::weak_ptr<const bool>(alive_), callback = std::move(callback)](auto&&... arguments) {
      if (!alive.expired()) callback(std::forward<decltype(arguments)>(arguments)...);
    };
  }

  // Silences all callbacks that were guarded so far.
  void renew() { alive_ = std::make_shared<const bool>(true); }

 private:
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace base
