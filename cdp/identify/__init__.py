"""Who is who: claims, profiles and identifiers, and the customers that follow from them."""
