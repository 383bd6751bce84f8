"""Measure features: clusters, classification, retrieval and verification; NumPy arrays in, numbers out.

Some functions use scikit-learn: `pip install 'centerloss_mx[examples]'` installs it.
"""

from .._choices import METRICS
from .clusters import (
    BetweenClasses,
    ClusterRatio,
    between_classes,
    class_means,
    cluster_ratio,
    clustering_nmi,
)
from .confusion import class_accuracies, confused_pairs
from .identification import Identification, TpirAtFpir, identify, nearest_identities
from .insightface import InsightFaceVerification, insightface_verify
from .neighbors import knn_predict, nearest_center
from .pairs import Pairs, check_unseen, verification_pairs
from .reid import ReId, reid
from .reranking import reranked_distances
from .retrieval import QueryScores, Retrieval, retrieval, score_queries
from .suspects import Suspects, suspects
from .verification import TarAtFar, Verification, verify

__all__ = [
    'METRICS',
    'BetweenClasses',
    'ClusterRatio',
    'Identification',
    'InsightFaceVerification',
    'Pairs',
    'QueryScores',
    'ReId',
    'Retrieval',
    'Suspects',
    'TarAtFar',
    'TpirAtFpir',
    'Verification',
    'between_classes',
    'check_unseen',
    'class_accuracies',
    'class_means',
    'cluster_ratio',
    'clustering_nmi',
    'confused_pairs',
    'identify',
    'insightface_verify',
    'knn_predict',
    'nearest_center',
    'nearest_identities',
    'reid',
    'reranked_distances',
    'retrieval',
    'score_queries',
    'suspects',
    'verification_pairs',
    'verify',
]
