//! Requests of the edge-profile cases. `cargo run -p din-tests --bin renew-firmware` writes this file.

/// Candidates of a slate.
pub const SLATE: usize = 10;

/// A user, what they did, oldest first, and a slate: ids of items with their categories.
pub struct Request {
    /// Of the user.
    pub user: u16,
    /// Of the behaviours.
    pub history: &'static [[u16; 2]],
    /// Of the candidates.
    pub slate: [[u16; 2]; SLATE],
}

/// What is ranked.
pub static REQUESTS: [Request; 4] = [
    Request {
        user: 409,
        history: &[[390, 59], [721, 59], [1527, 22], [391, 59], [122, 59], [424, 22], [1462, 22], [135, 22], [887, 42], [1458, 22], [390, 59]],
        slate: [[1857, 59], [1037, 59], [1770, 22], [335, 58], [314, 42], [783, 11], [221, 4], [828, 58], [418, 57], [1528, 55]],
    },
    Request {
        user: 293,
        history: &[[1769, 55], [1734, 4], [1534, 55], [869, 55], [1642, 55], [1534, 55], [1890, 36]],
        slate: [[1928, 55], [1579, 27], [615, 19], [1542, 13], [1780, 40], [940, 4], [1839, 6], [923, 55], [7, 56], [1344, 55]],
    },
    Request {
        user: 267,
        history: &[[1040, 62], [1472, 62], [792, 62], [1040, 62], [1399, 32], [1552, 27], [89, 27], [517, 32], [547, 27], [89, 27], [656, 32], [297, 62], [1705, 27], [1070, 32], [1946, 62], [1795, 32]],
        slate: [[905, 38], [1440, 62], [507, 58], [1671, 27], [1083, 46], [1632, 27], [1796, 25], [389, 42], [544, 27], [916, 4]],
    },
    Request {
        user: 382,
        history: &[[1098, 46], [176, 46], [842, 20], [980, 46], [1851, 20], [1652, 54]],
        slate: [[1715, 45], [343, 15], [1056, 46], [1577, 46], [209, 46], [1446, 47], [259, 44], [541, 54], [374, 11], [712, 58]],
    },
];
