"""Jacobians of products of vectors and matrices, as arrays of shape (shape of output) × (shape of input).

So ∂y/∂x has the entries [i…, j…] = ∂y_i…/∂x_j…; the gradient of a scalar has the shape of its input. Written as
one matrix, a Jacobian between matrices needs an order in which their entries are strung into a vector: vec_r by
rows (NumPy's) or vec_c by columns (most textbooks').
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def constant_jacobian(w: Float[Array, " D"], c: Float[Array, " F"]) -> Float[Array, "F D"]:
    """∂c/∂w = 0 for a constant c, of shape F × D: nothing moves with w."""
    return jnp.zeros((c.shape[0], w.shape[0]), w.dtype)


def squared_norm_gradient(w: Float[Array, " D"]) -> Float[Array, " D"]:
    """∂‖w‖²/∂w_j = ∂(Σ_i w_i²)/∂w_j = 2 w_j, of shape D."""
    return 2 * w


def dot_gradient_w(w: Float[Array, " D"], x: Float[Array, " D"]) -> Float[Array, " D"]:
    """∂(wᵀx)/∂w_j = ∂(Σ_i w_i x_i)/∂w_j = x_j, of shape D."""
    return x


def dot_gradient_x(w: Float[Array, " D"], x: Float[Array, " D"]) -> Float[Array, " D"]:
    """∂(wᵀx)/∂x_j = w_j, of shape D: wᵀx is symmetric in its two vectors."""
    return w


def matvec_jacobian_w(X: Float[Array, "N D"], w: Float[Array, " D"]) -> Float[Array, "N D"]:
    """∂(Xw)_n/∂w_j = ∂(Σ_i X_ni w_i)/∂w_j = X_nj, of shape N × D."""
    return X


def matvec_jacobian_x(X: Float[Array, "N D"], w: Float[Array, " D"]) -> Float[Array, "N N D"]:
    """∂(Xw)_n/∂X_md = δ_nm w_d, of shape N × N × D: row n of the output sees row n of X only."""
    return jnp.einsum("nm,d->nmd", jnp.eye(X.shape[0], dtype=X.dtype), w)


def identity_jacobian(w: Float[Array, " D"]) -> Float[Array, "D D"]:
    """∂w_i/∂w_j = δ_ij, of shape D × D."""
    return jnp.eye(w.shape[0], dtype=w.dtype)


def square_jacobian(w: Float[Array, " D"]) -> Float[Array, "D D"]:
    """∂(w ⊙ w)_i/∂w_j = 2 w_i δ_ij, of shape D × D: the matrix 2 diag(w)."""
    return 2 * jnp.diag(w)


def matmul_jacobian_x(X: Float[Array, "N D"], W: Float[Array, "F D"]) -> Float[Array, "N F N D"]:
    """∂(XWᵀ)_nf/∂X_md = ∂(Σ_e X_ne W_fe)/∂X_md = δ_nm W_fd, of shape N × F × N × D."""
    return jnp.einsum("nm,fd->nfmd", jnp.eye(X.shape[0], dtype=X.dtype), W)


def matmul_jacobian_w(X: Float[Array, "N D"], W: Float[Array, "F D"]) -> Float[Array, "N F F D"]:
    """∂(XWᵀ)_nf/∂W_gd = ∂(Σ_e X_ne W_fe)/∂W_gd = δ_fg X_nd, of shape N × F × F × D."""
    return jnp.einsum("fg,nd->nfgd", jnp.eye(W.shape[0], dtype=W.dtype), X)


def matmul_rows_x(X: Float[Array, "N D"], W: Float[Array, "F D"]) -> Float[Array, "NF ND"]:
    """∂vec_r(XWᵀ)/∂vec_r(X) = I_N ⊗ W, of shape NF × ND.

    Row nF + f and column mD + d hold δ_nm W_fd: N copies of W down the diagonal, one for each row of X.
    """
    return jnp.kron(jnp.eye(X.shape[0], dtype=X.dtype), W)


def matmul_columns_x(X: Float[Array, "N D"], W: Float[Array, "F D"]) -> Float[Array, "NF ND"]:
    """∂vec_c(XWᵀ)/∂vec_c(X) = W ⊗ I_N, of shape NF × ND.

    Row fN + n and column dN + m hold W_fd δ_nm; vec_c(A X B) = (Bᵀ ⊗ A) vec_c(X) with A = I_N and B = Wᵀ.
    """
    return jnp.kron(W, jnp.eye(X.shape[0], dtype=X.dtype))


def matmul_rows_w(X: Float[Array, "N D"], W: Float[Array, "F D"]) -> Float[Array, "NF FD"]:
    """∂vec_r(XWᵀ)/∂vec_r(W) = (X ⊗ I_F) K_FD, of shape NF × FD, K_FD the commutation matrix.

    vec_r(X Wᵀ) = (X ⊗ I_F) vec_r(Wᵀ), as vec_r(A B C) = (A ⊗ Cᵀ) vec_r(B), and vec_r(Wᵀ) = K_FD vec_r(W).
    """
    outputs, inputs = W.shape
    return jnp.kron(X, jnp.eye(outputs, dtype=X.dtype)) @ commutation(outputs, inputs, X)


def matmul_columns_w(X: Float[Array, "N D"], W: Float[Array, "F D"]) -> Float[Array, "NF FD"]:
    """∂vec_c(XWᵀ)/∂vec_c(W) = (I_F ⊗ X) K_DF, of shape NF × FD, K_DF the commutation matrix.

    vec_c(X Wᵀ) = (I_F ⊗ X) vec_c(Wᵀ), as vec_c(A B C) = (Cᵀ ⊗ A) vec_c(B); stringing W by columns is stringing
    its D × F transpose by rows, so vec_c(Wᵀ) = K_DF vec_c(W).
    """
    outputs, inputs = W.shape
    return jnp.kron(jnp.eye(outputs, dtype=X.dtype), X) @ commutation(inputs, outputs, X)


def commutation(rows: int, columns: int, like: Float[Array, "..."]) -> Float[Array, "RC RC"]:
    """The permutation K with K vec_r(A) = vec_r(Aᵀ) for A of the given shape, in the dtype of ``like``.

    Row c·R + r of K has its 1 in column r·C + c, where A_rc stands.
    """
    order = jnp.arange(rows * columns).reshape(rows, columns).T.ravel()
    return jnp.eye(rows * columns, dtype=like.dtype)[order]
